// Sends the token, and goes where the reader wanted to go.
import { tell } from "./api.js";

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: document.getElementById("token").value }),
  });
  if (!answer.ok) return tell((await answer.json()).title, { bad: true });
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  location.assign(new URL(next, location.origin).origin === location.origin && /^\/(?!\/)/.test(next) ? next : "/");
});
