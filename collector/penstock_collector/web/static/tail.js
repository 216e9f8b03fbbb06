// Keeps the table of statements, or of logins, current: rows come from the server, escaped there by the same template as history.

const MOST_ROWS = 500;
const QUIET_MS = 4000;

const rows = document.getElementById("rows");
const live = document.getElementById("live");
const pause = document.getElementById("pause");
const gap = document.getElementById("gap");
const count = document.getElementById("arrived");
const announcement = document.getElementById("announcement");
const empty = document.getElementById("empty");
// What it is called by the server, and by people.
const { rows: kind, words } = rows.dataset;

let arrived = 0;
let told = 0;
let telling = null;

// What arrives is counted for the eye at once, and told to screen readers now and then.
function announce() {
  count.textContent = `${arrived} new`;
  telling ??= setTimeout(() => {
    telling = null;
    if (arrived > told) announcement.textContent = `${arrived - told} new ${words}`;
    told = arrived;
  }, QUIET_MS);
}

// What comes late goes where its time has it.
function inOrder(row) {
  const time = row.querySelector("time").dateTime;
  for (const other of rows.rows) {
    if (other.querySelector("time").dateTime <= time) return rows.insertBefore(row, other);
  }
  return rows.append(row);
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
  inOrder(row);
  empty.hidden = true;
  while (rows.rows.length > MOST_ROWS) rows.rows[rows.rows.length - 1].remove();
}

const { stream } = await import(live.dataset.stream);
const tail = stream({
  live,
  state: document.getElementById("live-state"),
  follow: new URL(rows.dataset.follow, location.origin),
  rows: kind,
  login: location.pathname === "/" ? "/login" : `/login?next=${encodeURIComponent(location.pathname)}`,
  take: {
    [kind]({ id, html }) {
      place(id, html);
      announce();
    },
    gap({ skipped }) {
      gap.textContent = `${skipped} ${words} came faster than this page shows them. They are in the record: reload to see them.`;
      gap.hidden = false;
    },
  },
});

pause.addEventListener("click", () => {
  const pausing = tail.isOpen();
  pause.setAttribute("aria-pressed", String(pausing));
  pause.textContent = pausing ? "Resume" : "Pause";
  if (pausing) tail.pause();
  else tail.open();
});

pause.hidden = false;
