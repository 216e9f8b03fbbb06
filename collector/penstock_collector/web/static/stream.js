// Follows server-sent events from where a page stands, and says how that goes. Reconnecting is the browser's business
// (EventSource sends the last event's id, so that nothing is missed); this only starts again where the browser gives
// up, and where the page had stopped it.

const LONGEST_PAUSE = 5;

// `live` and `state` show how it goes; `rows` is the name of the events that move the page on; `take` has, by the names
// of events, what becomes of their data; `login` is where to go once the session is over.
export function stream({ live, state, follow, rows, take, login }) {
  let source = null;
  let cursor = follow.searchParams.get("after");
  let retry = 0;

  function show(name, text) {
    live.dataset.state = name;
    if (state.textContent !== text) state.textContent = text;
  }

  function open() {
    follow.searchParams.set("after", cursor);
    source = new EventSource(follow);
    source.onopen = () => {
      retry = 0;
      show("live", "Live");
    };
    for (const [name, taken] of Object.entries(take)) {
      source.addEventListener(name, (event) => {
        const data = JSON.parse(event.data);
        if (name === rows) cursor = event.lastEventId;
        taken(data);
      });
    }
    source.addEventListener("ended", () => location.assign(login));
    source.addEventListener("problem", (event) => show("lost", JSON.parse(event.data).error));
    source.onerror = () => {
      show("lost", "Connection lost, trying again");
      if (source.readyState !== EventSource.CLOSED) return;
      retry = Math.min(retry + 1, LONGEST_PAUSE);
      setTimeout(() => source && open(), 1000 * 2 ** retry);
    };
  }

  function close() {
    source?.close();
    source = null;
  }

  function pause() {
    close();
    show("paused", "Paused");
  }

  // A page that the browser keeps for "back" must not hold a connection, nor show an old state when it returns.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  show("off", "Connecting");
  open();
  return { open, pause, isOpen: () => source !== null };
}
