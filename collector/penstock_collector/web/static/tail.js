// Keeps the table of statements current: rows come from the server, escaped there by the same template as history.
// Reconnecting is the browser's business (EventSource sends the last event's id, so that nothing is missed); this
// module only starts again where the browser gives up, and where the reader had paused.

const MOST_ROWS = 500;
const QUIET_MS = 4000;

const rows = document.getElementById("rows");
const live = document.getElementById("live");
const state = document.getElementById("live-state");
const pause = document.getElementById("pause");
const gap = document.getElementById("gap");
const count = document.getElementById("arrived");
const announcement = document.getElementById("announcement");
const empty = document.getElementById("empty");
const follow = new URL(rows.dataset.follow, location.origin);

let source = null;
let cursor = follow.searchParams.get("after");
let retry = 0;
let arrived = 0;
let told = 0;
let telling = null;

function show(name, text) {
  live.dataset.state = name;
  if (state.textContent !== text) state.textContent = text;
}

// What arrives is counted for the eye at once, and told to screen readers now and then.
function announce() {
  count.textContent = `${arrived} new`;
  telling ??= setTimeout(() => {
    telling = null;
    if (arrived > told) announcement.textContent = `${arrived - told} new statements`;
    told = arrived;
  }, QUIET_MS);
}

function place(id, html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const row = holder.content.querySelector("tr");
  const old = document.getElementById(`s${id}`);
  if (old) {
    // An outcome joins its intent where that stands. The keyboard's focus stays where it was.
    const focused = old.contains(document.activeElement);
    row.classList.remove("fresh");
    old.replaceWith(row);
    if (focused) row.querySelector("a").focus();
    return;
  }
  arrived += 1;
  rows.prepend(row);
  empty.hidden = true;
  while (rows.rows.length > MOST_ROWS) rows.rows[rows.rows.length - 1].remove();
}

function open() {
  follow.searchParams.set("after", cursor);
  source = new EventSource(follow);
  source.onopen = () => {
    retry = 0;
    show("live", "Live");
  };
  source.addEventListener("statement", (event) => {
    const { id, html } = JSON.parse(event.data);
    cursor = event.lastEventId;
    place(id, html);
    announce();
  });
  source.addEventListener("gap", (event) => {
    const { skipped } = JSON.parse(event.data);
    gap.textContent = `${skipped} statements came faster than this page shows them. They are in the record: reload to see them.`;
    gap.hidden = false;
  });
  source.addEventListener("ended", () => location.assign("/login"));
  source.addEventListener("problem", (event) => show("lost", JSON.parse(event.data).error));
  source.onerror = () => {
    show("lost", "Connection lost, trying again");
    if (source.readyState !== EventSource.CLOSED) return;
    retry = Math.min(retry + 1, 5);
    setTimeout(() => source && open(), 1000 * 2 ** retry);
  };
}

function close() {
  source.close();
  source = null;
  show("paused", "Paused");
}

pause.addEventListener("click", () => {
  const pausing = source !== null;
  pause.setAttribute("aria-pressed", String(pausing));
  pause.textContent = pausing ? "Resume" : "Pause";
  if (pausing) close();
  else open();
});

// A page that the browser keeps for "back" must not hold a connection, nor show an old state when it returns.
addEventListener("pagehide", () => source && close());
addEventListener("pageshow", (event) => event.persisted && location.reload());

pause.hidden = false;
show("off", "Connecting");
open();
