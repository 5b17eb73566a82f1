// The page of one video: loads its transcript, and puts player, find, and corrections around it.
import { ask, attempt, element, hms, tell, typing } from "../api.js";
import { showVideoHints } from "../hints.js";
import { correctSpeaker, correctWords, showWordCorrections } from "./correct.js";
import { Find } from "./find.js";
import { Player } from "./player.js";
import { Transcript } from "./transcript.js";

const id = document.getElementById("video").dataset.video;
const path = `/videos/${encodeURIComponent(id)}`;
const transcript = new Transcript(document.getElementById("transcript"));
const player = new Player(document.getElementById("audio"), transcript, document.getElementById("follow"));
const corrections = document.getElementById("corrections");
const find = new Find(transcript, document.getElementById("find"), document.getElementById("found"));

async function load() {
  transcript.show(await ask(`${path}/transcript`));
  find.search();
  if (corrections.open) await showCorrections();
}

async function showCorrections() {
  await showWordCorrections(id, corrections.querySelector("div"), load);
}

function start() {
  const at = Number(new URLSearchParams(location.search).get("t"));
  if (Number.isFinite(at) && at > 0) player.seek(at);
}

async function copyLink() {
  const link = new URL(`${location.pathname}?t=${player.time.toFixed(1)}`, location.origin);
  history.replaceState(null, "", link);
  await navigator.clipboard.writeText(String(link));
  tell(`Copied the link to ${hms(player.time)}.`);
}

async function showTimings(menu) {
  if (!menu.open || menu.dataset.loaded) return;
  menu.dataset.loaded = "true";
  const { stages, failing } = await ask(`${path}/timings`);
  const rows = stages.map((row) => element("tr", {},
    element("td", { textContent: row.asset }),
    element("td", { textContent: `${row.wall_s.toFixed(1)} s` }),
    element("td", { textContent: row.x_realtime === null ? "" : `${row.x_realtime.toFixed(0)}x` }),
    element("td", { textContent: row.device ?? "" })));
  const head = element("tr", {}, ...["Stage", "Time", "Real time", "Device"].map((text) => element("th", { textContent: text, scope: "col" })));
  const flagged = failing.map((check) => element("li", { textContent: `${check.asset}: ${check.message}` }));
  document.getElementById("timings").replaceChildren(
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    flagged.length ? element("ul", { className: "bad" }, ...flagged) : element("p", { textContent: "No check fails." }));
}

transcript.onWord = (time) => player.playFrom(time);
transcript.onSpeaker = (paragraph) => correctSpeaker(id, paragraph, load);
transcript.onEdit = (paragraph) => correctWords(id, paragraph, load);
document.getElementById("speed").addEventListener("change", (event) => { player.rate = Number(event.target.value); });
document.getElementById("copy").addEventListener("click", () => attempt(copyLink));
document.getElementById("hints").addEventListener("click", () => attempt(() => showVideoHints(id, document.querySelector("h1").textContent.trim())));
document.getElementById("previous").addEventListener("click", () => find.move(-1));
document.getElementById("next").addEventListener("click", () => find.move(1));
document.getElementById("doubted").addEventListener("change", (event) => transcript.showDoubted(event.target.checked));
corrections.addEventListener("toggle", () => { if (corrections.open) attempt(showCorrections); });
document.getElementById("stages").addEventListener("toggle", (event) => attempt(() => showTimings(event.target)));

function closeMenus(except) {
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(except)) menu.open = false;
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(null);
  if (typing(event) || event.target.closest?.("dialog")) return;
  const actions = {
    " ": () => player.toggle(),
    ArrowLeft: () => player.seek(player.time - 5),
    ArrowRight: () => player.seek(player.time + 5),
    "/": () => document.getElementById("find").focus(),
    f: () => player.follow(true),
  };
  const onButton = event.key === " " && event.target.closest("button, a, summary, audio");
  if (actions[event.key] && !onButton) { event.preventDefault(); actions[event.key](); }
});

await attempt(load);
start();
