// What pages do beside their forms, all of which work without it: copying, times in the reader's zone, passkeys, figures that refresh.
"use strict";

(() => {
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  // Nobody is at a page that nothing was done on for so long; what refreshes by itself would keep the session from being idle.
  const ATTENTION = 5 * 60 * 1000;
  const REFRESH = 5 * 1000;
  let attended = Date.now();

  function prepare(root) {
    for (const element of root.querySelectorAll(".with-script")) element.hidden = false;
    for (const time of root.querySelectorAll("time[data-local]")) time.textContent = local.format(new Date(time.dateTime));
  }

  // Of a list every item is a line.
  const textOf = (element) =>
    element.localName === "ul" ? [...element.children].map((item) => item.textContent).join("\n") : element.textContent;

  async function copy(button) {
    const text = textOf(document.getElementById(button.dataset.copy));
    const [said, name] = [button.textContent, button.getAttribute("aria-label")];
    // What is seen is what is heard.
    const say = (seen, heard) => {
      button.textContent = seen;
      button.setAttribute("aria-label", heard);
    };
    try {
      await navigator.clipboard.writeText(text);
      say("Copied", "Copied");
    } catch {
      // There is no clipboard without a secure origin: it is marked, to be copied by hand.
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      say("Marked: press Ctrl+C", "Marked: press Ctrl+C");
    }
    setTimeout(say, 2000, said, name);
  }

  async function call(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body ?? {}),
    }).catch(() => {
      throw new Error("The server was not reached. Try again in a moment.");
    });
    const content = answer.status === 204 ? null : await answer.json().catch(() => null);
    if (!answer.ok) {
      const mistakes = (content?.errors ?? []).map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`);
      const detail = mistakes.join("; ") || content?.detail || "The server does not answer as it should. Try again in a moment.";
      throw Object.assign(new Error(detail), { code: content?.code });
    }
    return content;
  }

  const asked = {
    async get(options) {
      const credential = await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey),
      });
      return credential.toJSON();
    },
    async create(options) {
      const credential = await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey),
      });
      return credential.toJSON();
    },
  };

  // A passkey in place of a password, or as the second step where there is a token.
  async function signIn(element) {
    const token = element.dataset.token;
    const begun = token === undefined ? {} : { token };
    const options = await call("/api/auth/passkeys/login/start", begun);
    await call("/api/auth/passkeys/login/finish", { ...begun, credential: await asked.get(options) });
    location.assign(element.dataset.return);
  }

  async function prove(element) {
    const options = await call("/api/auth/passkeys/login/start", {});
    const form = element.closest("form");
    form.elements.namedItem("_passkey").value = JSON.stringify(await asked.get(options));
    form.requestSubmit();
  }

  async function register(element) {
    const options = await call("/api/auth/passkeys/register/start");
    const name = element.querySelector("input")?.value.trim();
    const added = await call("/api/auth/passkeys/register/finish", {
      ...(name ? { name } : {}),
      credential: await asked.create(options),
    });
    if ((added.recoveryCodes ?? []).length === 0) return location.assign(element.dataset.return);
    const codes = document.getElementById("passkey-recovery-codes");
    codes.querySelector("ul").replaceChildren(...added.recoveryCodes.map((code) => {
      const item = document.createElement("li");
      item.textContent = code;
      return item;
    }));
    codes.hidden = false;
    element.hidden = true;
    codes.querySelector("h2").focus();
  }

  // What the browser says is for programmers.
  const refusals = {
    NotAllowedError: "No passkey was used. Try again.",
    InvalidStateError: "There is a passkey for your account already where you wanted to keep this one.",
    SecurityError: /^[\d.:[\]]+$/.test(location.hostname)
      ? `Passkeys are for a name, and this page was opened under an address. On this machine, open http://localhost:${location.port}${location.pathname}`
      : "Passkeys are bound to this server's own name, by HTTPS: open the page under that.",
  };

  // Where a fresh proof is asked for, and what was typed is not lost by that.
  function proveFirst(element) {
    const name = element.querySelector("input")?.value.trim();
    const back = location.pathname + (name ? `?${new URLSearchParams({ name })}` : "");
    location.assign(`/step-up?return=${encodeURIComponent(back)}`);
  }

  async function act(element, what) {
    const message = element.querySelector("[data-message]");
    const button = element.querySelector("button");
    button.disabled = true;
    message.textContent = "";
    try {
      if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
        throw new Error("This browser knows no passkeys, or is too old for them.");
      }
      await what(element);
    } catch (error) {
      if (error.code === "STEP_UP_REQUIRED") return proveFirst(element);
      message.textContent = refusals[error.name] ?? error.message;
    }
    button.disabled = false;
  }

  document.addEventListener("click", (event) => {
    attended = Date.now();
    const button = event.target.closest("button");
    if (button?.dataset.copy) copy(button);
    for (const [name, what] of [["passkeySignIn", signIn], ["passkeyProof", prove], ["passkeyRegister", register]]) {
      const element = button?.closest("[data-passkey-sign-in], [data-passkey-proof], [data-passkey-register]");
      if (element && name in element.dataset) act(element, what);
    }
    // A menu closes when something else is meant.
    for (const menu of document.querySelectorAll("details.switcher[open], details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    attended = Date.now();
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.switcher[open], details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // A file is read into the field that its text could be pasted into as well; it is no part of the form itself.
  document.addEventListener("change", async (event) => {
    const { fileInto } = event.target.dataset;
    const [file] = event.target.files ?? [];
    if (fileInto && file) document.getElementById(fileInto).value = await file.text();
  });

  // What was sent once is not sent twice by an impatient hand.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && event.target.method === "post") setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form button:disabled")) button.disabled = false;
  });

  // A whole key that is pasted into the search is found by its beginning, and goes into no address.
  document.addEventListener("input", ({ target }) => {
    if (target.matches("input[type=search]")) target.value = target.value.replace(/\b([ac]k_[0-9A-Za-z]{5})[0-9A-Za-z]+/g, "$1");
  }, { capture: true });

  // The token of a link is in the fragment, which no request carries; the address bar and the history do not keep it.
  const kept = document.querySelector("input[data-from-fragment]");
  const parameters = new URLSearchParams(location.hash.slice(1));
  if (kept && parameters.has("token")) {
    kept.value = parameters.get("token");
    const back = document.querySelector("input[name=return]");
    if (back && parameters.has("returnTo")) back.value = parameters.get("returnTo");
    for (const element of document.querySelectorAll("[data-without-token]")) element.hidden = true;
    history.replaceState(null, "", location.pathname + location.search);
  }

  // What was done is said once: not when the page is loaded anew, nor to whom its address is given.
  const address = new URL(location);
  if (address.searchParams.has("done")) {
    address.searchParams.delete("done");
    history.replaceState(null, "", address);
  }
  // Who cannot see the whole page is led to what is wrong.
  document.querySelector("main .banner.bad")?.focus();

  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
  prepare(document);

  setInterval(() => {
    if (document.visibilityState !== "visible" || Date.now() - attended > ATTENTION) return;
    for (const element of document.querySelectorAll("[data-refresh]")) {
      // Not while somebody reads it by keyboard: what is swapped would lose the focus.
      if (!element.contains(document.activeElement)) window.htmx?.trigger(element, "refresh");
    }
  }, REFRESH);
})();
