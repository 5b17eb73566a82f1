// The page of performance: the report, the charts and the failing checks, each loaded on its own.
import { ask, attempt, coded, element, hms, tell } from "../api.js";
import { confirm } from "./confirm.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, EDGE] = [600, 140, 58, 12];

const figure = (value, digits = 1) => (value === null ? "" : value >= 100 ? value.toFixed(0) : value.toFixed(digits));
const percent = (value) => (value === null ? "" : `${Math.round(value * 100)} %`);
const COLUMNS = [
  ["Stage", (row) => row.asset, ""],
  ["Videos", (row) => row.videos.toLocaleString("en")],
  ["Audio", (row) => hms(row.audio_s)],
  ["Time", (row) => hms(row.wall_s)],
  ["Loading", (row) => hms(row.load_s)],
  ["Real time", (row) => (row.x_realtime ? `${figure(row.x_realtime)}x` : "")],
  ["Share", (row) => percent(row.share)],
  ["Trend", (row) => figure(row.trend, 2)],
  ["GPU", (row) => (row.gpu_util_mean === null ? "" : `${Math.round(row.gpu_util_mean)} %`)],
  ["Cache", (row) => percent(row.cache_rate)],
  ["Device", (row) => row.device, ""],
];

function showReport(rows) {
  const target = document.getElementById("report");
  target.setAttribute("aria-busy", "false");
  if (!rows.length) return target.replaceChildren(element("p", { className: "note", textContent: "No timings yet. They come with the first ingest." }));
  const shown = COLUMNS.filter(([, text]) => rows.some((row) => text(row) !== ""));
  const head = element("tr", {}, ...shown.map(([name, , side = "number"]) => element("th", { scope: "col", className: side, textContent: name })));
  const body = rows.map((row) => element("tr", {}, ...shown.map(([, text, side = "number"], index) =>
    element(index ? "td" : "th", { className: side, textContent: text(row), ...(index ? {} : { scope: "row" }) }))));
  target.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
  document.getElementById("charts").replaceChildren(...rows.flatMap(chart));
}

function draw(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The last runs of one stage: a dot each, its height the seconds for an input. */
function chart({ asset, recent }) {
  const runs = recent.filter((run) => run.seconds_per_input !== null);
  if (runs.length < 2) return [];
  const most = Math.max(...runs.map((run) => run.seconds_per_input));
  const x = (index) => LEFT + ((WIDTH - LEFT - EDGE) * index) / (runs.length - 1);
  const y = (seconds) => HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * seconds) / most;
  const dots = runs.map((run, index) => draw("circle", { cx: x(index), cy: y(run.seconds_per_input), r: flagged(run) ? 4.5 : 2.5, class: flagged(run) ? "flagged" : "" },
    draw("title", {}, `${run.video_id}, ${run.recorded_at.slice(0, 16).replace("T", " ")}: ${seconds(run.seconds_per_input)}${run.cause ? `, ${run.cause}` : ""}`)));
  const lines = [most, 0].map((value) => draw("g", {}, draw("line", { x1: LEFT, x2: WIDTH - EDGE, y1: y(value), y2: y(value) }),
    draw("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, seconds(value))));
  const sorted = runs.map((run) => run.seconds_per_input).sort((a, b) => a - b);
  const label = `${asset}: the last ${runs.length} runs, median ${seconds(sorted[sorted.length >> 1])}, most ${seconds(most)}, ${runs.filter(flagged).length} flagged`;
  return [element("section", { className: "chart" }, element("h3", { textContent: asset }),
    draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, ...lines, ...dots),
    ...(runs.some(flagged) ? [accept(asset)] : []))];
}

function accept(asset) {
  const button = element("button", { type: "button", textContent: "Accept as the new normal", dataset: { accept: asset } });
  button.setAttribute("aria-label", `Accept as the new normal: ${asset}`);
  return button;
}

const flagged = (run) => run.speed === "warn" || run.speed === "error" || run.waiting === "warn" || run.waiting === "error";
const seconds = (value) => (value === 0 ? "0 s" : value >= 1 ? `${value.toFixed(1)} s` : `${(value * 1000).toPrecision(2)} ms`);

function showChecks(checks) {
  const target = document.getElementById("checks");
  target.setAttribute("aria-busy", "false");
  if (!checks.length) return target.replaceChildren(element("p", { className: "about", textContent: "None in the last seven days." }));
  target.replaceChildren(element("ul", { className: "rows" }, ...checks.map(check)));
}

function check({ asset, severity, cause, message, remedy, video_id, recorded_at, times }) {
  const speed = ["words", "loops", "language", "certainty", "speakers"].includes(cause) ? [] : [element("p", { className: "buttons" }, accept(asset))];
  return element("li", {},
    element("h3", { className: severity === "error" ? "bad" : "", textContent: `${asset}: ${cause.replaceAll("_", " ")}` }),
    element("p", {}, element("bdi", {}, ...coded(message))),
    element("p", {}, ...coded(remedy)),
    element("p", { className: "about" }, times > 1 ? `${times} times, the worst ` : "", `${recorded_at.slice(0, 16).replace("T", " ")} UTC, in `,
      element("a", { href: `/videos/${encodeURIComponent(video_id)}` }, element("bdi", { textContent: video_id }))),
    ...speed);
}

document.getElementById("main").addEventListener("click", (event) => {
  const stage = event.target.closest("[data-accept]")?.dataset.accept;
  if (!stage) return;
  const action = async () => {
    const accepted = await ask(`/timings/${encodeURIComponent(stage)}/accept`, { method: "POST" });
    tell(`Accepted the present speed of ${stage}: ${accepted.timings_left_out.toLocaleString("en")} earlier timings no longer count.`);
    await load();
  };
  confirm(`Accept the present speed of ${stage}?`,
    ["Its checks forget what was usual before, and judge again after five new timings."], [{ label: "Accept", action }]);
});

const load = () => Promise.all([
  attempt(async () => showChecks(await ask("/checks"))),
  attempt(async () => showReport(await ask("/timings/report"))),
]);
await load();
