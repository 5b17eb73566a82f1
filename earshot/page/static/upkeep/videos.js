// The page of videos: what runs now, by server-sent events; retries, removals, and what may come back.
import { ask, attempt, coded, element, hms, tell } from "../api.js";
import { confirm, traces } from "./confirm.js";

const now = document.getElementById("now");
const rows = document.getElementById("videos");
let atWork = new Set();

const path = (key) => `/videos/${encodeURIComponent(key)}`;
const link = ({ video_id, title }) => element("a", { href: path(video_id) }, element("bdi", { textContent: title || video_id }));

function running(video) {
  const label = video.run === "waiting" ? `waiting for its turn: ${video.stage}` : video.stage ?? "starting";
  const parts = [label.replaceAll("_", " "), `stage ${video.number} of ${video.stages}`];
  if (video.share !== null) parts.push(`about ${Math.floor(video.share * 100)} %`);
  if (video.remaining_s !== null) parts.push(`about ${hms(video.remaining_s)} left`);
  const bar = element("progress", { max: 1 });
  if (video.share !== null) bar.value = video.share;
  bar.setAttribute("aria-label", `Progress of ${video.title || video.video_id}, estimated`);
  return element("li", { dataset: { running: video.video_id } }, link(video), element("p", { className: "about", textContent: parts.join(" · ") }), bar);
}

function show(state) {
  if (state.problem) return now.replaceChildren(element("p", { className: "note bad" }, ...coded(state.problem)));
  const parts = [];
  if (state.running.length) parts.push(element("ul", { className: "rows" }, ...state.running.map(running)));
  else parts.push(element("p", { className: "about", textContent: state.up ? "Nothing runs." : "Nothing runs: `earshot up` is not running." }));
  if (state.queued || state.requested) {
    const more = state.queued - state.next.length + state.requested;
    const next = state.next.flatMap((video, index) => (index ? [", ", link(video)] : [link(video)]));
    parts.push(element("p", { className: "about next" }, "Next: ", ...next, more > 0 ? ` ${next.length ? "and " : ""}${more.toLocaleString("en")} ${next.length ? "more" : "waiting"}` : ""));
  }
  now.replaceChildren(...parts);
  const present = new Set(state.running.map((video) => video.video_id));
  for (const key of new Set([...atWork, ...present])) if (!atWork.has(key) || !present.has(key)) refresh(key);
  atWork = present;
}

async function refresh(key) {
  const row = rows.querySelector(`[data-video="${CSS.escape(key)}"]`);
  if (row) await attempt(async () => update(row, await ask(path(key))));
}

function update(row, video) {
  const state = row.querySelector(".state");
  const at = video.run ? (video.stage ? `${video.run}: ${video.stage}` : video.run) : null;
  state.textContent = (at === null ? video.state : video.state === "new" ? at : `${video.state}, ${at}`).replaceAll("_", " ");
  state.className = `state ${video.state}`;
  row.querySelector(".reason").hidden = !video.last_error;
  row.querySelector(".reason").replaceChildren(element("bdi", {}, ...coded(video.last_error ?? "")));
  const retry = row.querySelector(".retry");
  if (retry) retry.hidden = video.state === "ready" || Boolean(video.run);
}

async function retry(row) {
  const key = row.dataset.video;
  update(row, await ask(`${path(key)}/retry`, { method: "POST" }));
  tell(`${row.querySelector("h2").textContent.trim()} is tried again shortly.`);
}

async function remove(row) {
  const key = row.dataset.video;
  const found = await ask(`${path(key)}/traces`);
  const action = async () => {
    await ask(`${path(key)}?confirm=${encodeURIComponent(key)}`, { method: "DELETE" });
    row.remove();
    tell(`Removed ${found.title || key}.`);
  };
  confirm(`Remove “${found.title || key}”?`, [...traces(found), "Its source does not bring it back."], [{ label: "Remove", grave: true, action }]);
}

async function readmit(row) {
  await ask(`/removed-videos/${encodeURIComponent(row.dataset.removed)}`, { method: "DELETE" });
  row.remove();
  tell("The next poll of its source brings it back.");
}

rows.addEventListener("click", (event) => {
  const row = event.target.closest("[data-video]");
  if (event.target.closest(".retry")) attempt(() => retry(row));
  else if (event.target.closest(".remove")) attempt(() => remove(row));
});
document.getElementById("removed")?.addEventListener("click", (event) => {
  if (event.target.closest(".readmit")) attempt(() => readmit(event.target.closest("[data-removed]")));
});

const events = new EventSource("/api/v1/events");
events.addEventListener("message", (event) => show(JSON.parse(event.data)));
addEventListener("pagehide", () => events.close());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
