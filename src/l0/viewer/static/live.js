/** The feed of new calls. It is closed while the page is hidden, since a browser opens only six connections to a host. */

const RETRY_MS = 5_000;

/** Call `arrived` with each `LiveMessage`, `resumed` after a gap, and `changed` with: live, paused or offline. */
export class Live {
  constructor({ arrived, resumed, changed }) {
    this.arrived = arrived;
    this.resumed = resumed;
    this.changed = changed;
    this.source = null;
    this.paused = false;
    this.missed = false;
    document.addEventListener("visibilitychange", () => this.update());
    this.update();
  }

  pause(paused) {
    this.paused = paused;
    this.update();
  }

  update() {
    const wanted = !this.paused && !document.hidden;
    if (wanted && this.source === null) this.open();
    if (!wanted) this.close(this.paused ? "paused" : "offline");
  }

  open() {
    const source = new EventSource("api/live");
    this.source = source;
    source.onopen = () => {
      this.changed("live");
      if (this.missed) this.resumed();
      this.missed = false;
    };
    source.onmessage = (event) => this.arrived(JSON.parse(event.data));
    source.onerror = () => {
      this.missed = true;
      this.changed("offline");
      if (source.readyState !== EventSource.CLOSED) return;
      this.source = null;
      setTimeout(() => this.update(), RETRY_MS);
    };
  }

  close(state) {
    this.source?.close();
    this.missed ||= this.source !== null;
    this.source = null;
    this.changed(state);
  }
}
