// Asks the server: JSON from /api/v1, and messages at the foot of the page. An error of the server becomes a message.

// The name that the reader entered once, and that signs what is changed here.
export const READER = "earshot-reader";

/** The JSON at this path under /api/v1; `body` is sent as JSON. Throws Error with the server's words. */
export async function ask(path, { method = "GET", body } = {}) {
  const answer = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(method === "GET" ? {} : { "Earshot-Reader": encodeURIComponent(localStorage.getItem(READER) ?? "") }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const read = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error([read?.title ?? answer.statusText, read?.detail].filter(Boolean).join(" "));
  return read;
}

/** Show a message, with a button if there is something to do about it. */
export function tell(text, { action, label, bad = false } = {}) {
  const message = document.getElementById("message");
  message.replaceChildren(...coded(text));
  message.classList.toggle("bad", bad);
  if (action) {
    const button = element("button", { type: "button", textContent: label });
    button.addEventListener("click", () => { message.replaceChildren(); action(); });
    message.append(" ", button);
  }
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => message.replaceChildren(), action ? 20000 : 8000);
}

/** Do something, and show its error as a message. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    tell(error.message, { bad: true });
    return undefined;
  }
}

/** An element with these properties and children; texts are text, never markup. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "dataset") Object.assign(made.dataset, value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** The text of a message, with what is between backticks as code. */
export function coded(text) {
  return text.split(/`([^`\n]+)`/).map((part, index) => (index % 2 ? element("code", { textContent: part }) : part));
}

/** h:mm:ss of seconds. */
export function hms(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** Whether a key was pressed where text is typed. */
export function typing(event) {
  return event.target.closest?.("input, textarea, select, [contenteditable]") !== null || event.ctrlKey || event.metaKey || event.altKey;
}
