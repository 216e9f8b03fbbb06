// The inbox: rows come from the server, escaped there by the same template as the page; and the keyboard, here and on
// the page of one request. Deciding needs none of it: that is links and a form.

const live = document.getElementById("live");
const MOST_ENDED = 200;
const QUIET_MS = 2000;

if (live) void inbox();
else one();
tick();
setInterval(tick, 15000);

// Times that run out are counted down where they stand.
function tick() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const seconds = Math.floor(Number(element.dataset.until) - Date.now() / 1000);
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const unit = units.find(([size]) => seconds >= size);
    element.textContent = unit ? `${Math.floor(seconds / unit[0])} ${unit[1]} left` : "over";
  }
}

function busy(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  return typing || event.ctrlKey || event.metaKey || event.altKey;
}

function one() {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.getElementById("back")?.click();
    if (busy(event)) return;
    if (event.key === "a") document.getElementById("approve")?.click();
    if (event.key === "d") document.getElementById("deny")?.click();
  });
}

async function inbox() {
  const waiting = document.getElementById("waiting");
  const ended = document.getElementById("ended");
  const announcement = document.getElementById("announcement");
  let made = 0;
  let telling = null;

  function place(name, isWaiting, html) {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const row = holder.content.querySelector("tr");
    const old = document.getElementById(name);
    const target = isWaiting ? waiting : ended;
    const focused = old?.contains(document.activeElement);
    const next = focused ? old.nextElementSibling ?? old.previousElementSibling : null;
    if (old && old.parentNode === target) old.replaceWith(row);
    else {
      old?.remove();
      target.prepend(row);
      if (isWaiting) announce();
    }
    // What was decided elsewhere leaves the keyboard where the next decision is.
    if (focused) (row.parentNode === waiting || !next ? row : next).querySelector("a").focus();
    while (ended.rows.length > MOST_ENDED) ended.rows[ended.rows.length - 1].remove();
    for (const body of [waiting, ended]) document.getElementById(`${body.id}-empty`).hidden = body.rows.length > 0;
    const count = document.getElementById("waiting-count");
    if (count) count.firstChild.data = waiting.rows.length;
  }

  function announce() {
    made += 1;
    telling ??= setTimeout(() => {
      announcement.textContent = made === 1 ? "1 new request" : `${made} new requests`;
      made = 0;
      telling = null;
    }, QUIET_MS);
  }

  function move(step) {
    const links = [...document.querySelectorAll(".requests tbody .when a")];
    const at = links.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next]?.focus();
  }

  addEventListener("keydown", (event) => {
    if (busy(event)) return;
    if (event.key === "j") move(1);
    if (event.key === "k") move(-1);
    const row = document.activeElement.closest("#waiting tr, #on-cluster tr");
    if (!row) return;
    const address = row.querySelector("a").href;
    if (event.key === "a") location.assign(`${address}?decide=approved`);
    if (event.key === "d") location.assign(`${address}?decide=denied`);
  });

  document.getElementById("keys").hidden = false;
  const { stream } = await import(live.dataset.stream);
  stream({
    live,
    state: document.getElementById("live-state"),
    follow: new URL(live.dataset.follow, location.origin),
    rows: "request",
    login: "/login?next=%2Frequests",
    take: {
      request({ name, waiting: isWaiting, html }) {
        place(name, isWaiting, html);
        tick();
      },
    },
  });
}
