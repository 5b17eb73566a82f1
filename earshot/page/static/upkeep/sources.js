// The page of sources: add, pause, give hints and remove. Every change is written into sources.yaml by the server.
import { ask, attempt, tell } from "../api.js";
import { showSourceHints } from "../hints.js";
import { confirm, traces } from "./confirm.js";

const query = (values) => new URLSearchParams(values).toString();

async function add(form) {
  const { address, kind, ...options } = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const added = await ask("/sources", { method: "POST", body: { address, kind: kind || null, options } });
  sessionStorage.setItem("told", `${added.name} is watched now, as a ${added.kind === "url" ? "single video" : added.kind}.`);
  location.reload();
}

async function pause(row, button) {
  await ask("/sources", { method: "PATCH", body: { source: row.dataset.source, paused: button.dataset.paused !== "true" } });
  location.reload();
}

async function remove(row) {
  const source = row.dataset.source;
  const found = await ask(`/sources/traces?${query({ source })}`);
  const gone = (videos) => async () => {
    await ask(`/sources?${query({ source, confirm: source, videos })}`, { method: "DELETE" });
    row.remove();
    tell(videos ? `Removed ${source} and its videos.` : `${source} is no longer watched.`);
  };
  const stop = { label: "Stop watching, keep the videos", action: gone(false) };
  const all = { label: "Remove it with its videos", grave: true, action: gone(true) };
  confirm(`Remove ${source}?`, ["Both take it out of sources.yaml.", ...(found.videos ? traces(found).map(withVideos) : [])], found.videos ? [stop, all] : [stop]);
}

const withVideos = (sentence) => sentence.replace("This deletes", "Removing its videos, too, deletes");

document.getElementById("add")?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => add(event.target));
});
document.getElementById("sources")?.addEventListener("click", (event) => {
  const row = event.target.closest("[data-source]");
  const pausing = event.target.closest(".pause");
  if (pausing) attempt(() => pause(row, pausing));
  else if (event.target.closest(".hinted")) attempt(() => showSourceHints(row.dataset.source));
  else if (event.target.closest(".remove")) attempt(() => remove(row));
});

const told = sessionStorage.getItem("told");
if (told) tell(told);
sessionStorage.removeItem("told");
