// Asks before a person or voice is forgotten: says what goes, and wants the name typed, because it cannot be undone.
import { ask, attempt, element, tell } from "../api.js";

/** Ask in this dialog, and forget them if the reader types the name; `done` shows what is next. */
export async function forget(dialog, who, done) {
  const path = `/people/${encodeURIComponent(who)}`;
  const traces = await attempt(() => ask(`${path}/traces`));
  if (!traces) return;
  const name = element("input", { id: "forget-name", autocomplete: "off", required: true });
  const goes = `${traces.speakers} speakers in ${traces.videos} videos, the vectors of ${traces.turns} turns, `
    + `${traces.enrolments} recordings and ${traces.corrections} corrections are deleted. Audio and transcripts stay.`;
  const form = element("form", { method: "dialog" },
    element("h2", { id: "forget-title" }, "Forget ", element("bdi", { textContent: traces.name }), "?"),
    element("p", { textContent: goes }),
    element("p", { className: "bad", textContent: "This cannot be undone." }),
    element("label", { htmlFor: name.id }, "Type ", element("bdi", { textContent: traces.name }), " to go on"), name,
    element("p", { className: "buttons" },
      element("button", { type: "submit", textContent: "Forget" }),
      element("button", { type: "button", className: "plain", textContent: "Cancel", id: "forget-cancel" })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await attempt(async () => {
      const gone = await ask(`${path}?confirm=${encodeURIComponent(name.value)}`, { method: "DELETE" });
      dialog.close();
      tell(`${gone.name} is forgotten.`);
      await done();
    });
  });
  dialog.replaceChildren(form);
  document.getElementById("forget-cancel").addEventListener("click", () => dialog.close());
  dialog.showModal();
}
