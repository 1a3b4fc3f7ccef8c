// Calls the operation that a link in a mail is for, with the token from the fragment.
"use strict";

const form = document.querySelector("form");
const status = document.getElementById("status");
const parameters = new URLSearchParams(location.hash.slice(1));
const token = parameters.get("token");
const returnTo = parameters.get("returnTo");

// Neither the address bar nor the history keeps the token.
history.replaceState(null, "", location.pathname);

function say(text, isError) {
  status.textContent = text;
  status.className = isError ? "error" : "";
}

// What is wrong with an input, under the name that its label gives it.
function inWords({ pointer, detail }) {
  const label = document.querySelector(`label[for="${CSS.escape(pointer.slice(1))}"]`);
  return `${label?.textContent ?? pointer.slice(1)} ${detail}`;
}

function end(text, isError) {
  form.hidden = true;
  say(text, isError);
}

async function call(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  button.disabled = true;
  say("One moment …", false);
  try {
    const answer = await fetch(form.dataset.calls, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, ...Object.fromEntries(filled) }),
    });
    if (answer.ok) {
      end(form.dataset.done, false);
      // To a page of ours alone: what begins with two slashes is another host's.
      if (/^\/(?![/\\])/.test(returnTo ?? "")) {
        location.replace(returnTo);
      }
    } else {
      const problem = await answer.json();
      const details = (problem.errors ?? []).map(inWords);
      say(details.length > 0 ? details.join("\n") : problem.detail, true);
    }
  } catch {
    say("The server does not answer. Try again.", true);
  }
  button.disabled = false;
}

if (token === null) {
  end("This link is not complete. Open it from the mail once more.", true);
} else {
  form.addEventListener("submit", call);
}
