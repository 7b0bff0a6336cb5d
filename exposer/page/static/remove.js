// Deleting, after a question.

// remove asks for a change and returns the answer, or throws what the gateway
// said about it.
export async function remove(url, method = "DELETE") {
  let answer;
  try {
    answer = await fetch(url, { method });
  } catch {
    throw new Error("The gateway does not answer: whether it was done is not known.");
  }
  const text = await answer.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // Pushgateway's answers are plain text.
  }
  if (!answer.ok) throw new Error(body.error || text.split("\n")[0] || `The gateway answered ${answer.status}.`);
  return body;
}

// confirmDelete shows the dialog. Once it is confirmed run is waited for, and its
// result is returned; false if nothing was done. An error stays in the dialog, to
// be tried again. With a word, that has to be typed before.
export function confirmDelete({ title, text, names = [], word = "", go = "Delete", run }) {
  const dialog = document.getElementById("confirm");
  const at = (name) => document.getElementById(`confirm-${name}`);
  at("title").textContent = title;
  at("text").textContent = text;
  at("error").textContent = "";
  at("list").replaceChildren(...names.map((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  }));
  const button = at("go");
  const input = at("word");
  button.textContent = go;
  at("typed").hidden = !word;
  at("typed").querySelector("label").textContent = `Type “${word}” to confirm:`;
  input.value = "";
  return new Promise((resolve) => {
    let result = false;
    let working = false;
    const check = () => (button.disabled = working || (word !== "" && input.value.trim() !== word));
    const confirm = async () => {
      if (button.disabled) return;
      working = true;
      check();
      at("error").textContent = "";
      try {
        result = await run();
        dialog.close();
      } catch (e) {
        at("error").textContent = e.message;
        working = false;
        check();
      }
    };
    const enter = (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      confirm();
    };
    dialog.addEventListener("close", () => {
      button.removeEventListener("click", confirm);
      input.removeEventListener("input", check);
      input.removeEventListener("keydown", enter);
      resolve(result);
    }, { once: true });
    button.addEventListener("click", confirm);
    input.addEventListener("input", check);
    input.addEventListener("keydown", enter);
    check();
    dialog.showModal();
    (word ? input : dialog.querySelector("button")).focus();
  });
}
