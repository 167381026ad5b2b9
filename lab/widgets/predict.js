// A question whose answer is committed before the result is shown: ordinary form fields, so keyboard and screen reader work as everywhere.

let questions = 0;

function make(tag, properties = {}, ...children) {
  const el = Object.assign(document.createElement(tag), properties);
  el.append(...children);
  return el;
}

// Each form: its fields, with what was answered, if anything was; and how they are read.
const forms = {
  choices({ choices }, answer, name) {
    const inputs = choices.map((value) => make("input", { type: "radio", name, value, checked: value === answer }));
    return [inputs.map((input) => make("label", {}, input, ` ${input.value}`)), () => inputs.find((input) => input.checked)?.value];
  },
  several({ several }, answer, name) {
    const inputs = several.map((value) => make("input", { type: "checkbox", name, value, checked: answer?.includes(value) }));
    return [inputs.map((input) => make("label", {}, input, ` ${input.value}`)), () => inputs.filter((input) => input.checked).map((input) => input.value)];
  },
  number({ number }, answer) {
    const input = make("input", { type: "number", step: "any", ariaLabel: "Your number", value: answer ?? "" });
    return [[make("label", {}, input, ` ${number}`)], () => (input.value === "" ? undefined : Number(input.value))];
  },
  order({ order }, answer) {
    const list = make("ol");
    const move = (item, by) => {
      const items = [...list.children];
      const other = items[items.indexOf(item) + by];
      if (other) by < 0 ? other.before(item) : other.after(item);
    };
    for (const line of answer ?? order) {
      const item = make("li");
      item.dataset.line = line;
      for (const [mark, by, way] of [["▲", -1, "up"], ["▼", 1, "down"]]) {
        const button = make("button", { type: "button", textContent: mark, ariaLabel: `${line}: ${way}` });
        button.onclick = () => { move(item, by); button.focus(); };
        item.append(button);
      }
      item.append(` ${line}`);
      list.append(item);
    }
    return [[list], () => [...list.children].map((item) => item.dataset.line)];
  },
};

export default {
  render({ model, el }) {
    const draw = () => {
      const form = model.get("form");
      const [fields, read] = forms[Object.keys(form)[0]](form, model.get("answered"), `kba-question-${(questions += 1)}`);
      const said = model.get("said");
      const box = make("fieldset", { className: "kba-question", disabled: Boolean(said) }, make("legend", { textContent: model.get("question") }), ...fields);
      box.setAttribute("data-lm-suppress-shortcuts", "true");
      const status = make("span", { textContent: said });
      status.setAttribute("role", "status");
      const commit = make("button", { type: "button", textContent: said ? "Predict anew" : "Commit" });
      commit.onclick = () => {
        const answer = read();
        if (!said && (answer === undefined || Number.isNaN(answer))) status.textContent = "Answer first.";
        else model.send(said ? { again: true } : { answer });
      };
      el.replaceChildren(make("div", { className: "kba-prediction" }, box, make("p", {}, commit, " ", status)));
    };
    model.on("change:said", draw);
    draw();
    model.send({ here: true });
    return () => model.off("change:said", draw);
  },
};
