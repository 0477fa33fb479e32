// Labelled controls. Each calls back with its value and can be set without calling back.

import { h, newId } from "../core/dom";

export interface Field<T> {
  readonly element: HTMLElement;
  value: T;
}

export interface SliderOptions {
  label: string;
  min: number;
  max: number;
  step?: number;
  value: number;
  /** The value in words; the number itself if not given. */
  say?: (value: number) => string;
  hint?: string;
  onInput?: (value: number) => void;
}

/** A slider with its value in words. */
export function slider(options: SliderOptions): Field<number> {
  const { label, min, max, step = 1, hint, onInput, say = String } = options;
  const id = newId();
  const input = h("input", { type: "range", id, min, max, step, value: options.value });
  const output = h("output", { for: id });
  const show = (): void => {
    const value = Number(input.value);
    output.textContent = say(value);
    input.setAttribute("aria-valuetext", say(value));
    input.style.setProperty("--share", `${((value - min) / (max - min)) * 100}%`);
  };
  input.addEventListener("input", () => {
    show();
    onInput?.(Number(input.value));
  });
  show();
  const head = h("div", { class: "field-head" }, h("label", { for: id }, label), output);
  const element = h("div", { class: "field slider" }, head, input, hint && described(input, hint));
  return {
    element,
    get value() {
      return Number(input.value);
    },
    set value(value: number) {
      input.value = String(value);
      show();
    },
  };
}

export interface Choice {
  value: string;
  label: string;
  hint?: string;
}

/** One of a few choices, all of them visible. */
export function choice(
  label: string,
  choices: Choice[],
  value: string,
  onChange?: (value: string) => void,
): Field<string> {
  const name = newId();
  const inputs = choices.map((c) =>
    h("input", { type: "radio", name, value: c.value, checked: c.value === value }),
  );
  const options = choices.map((c, index) =>
    h(
      "label",
      { class: "option" },
      inputs[index],
      h("span", {}, c.label, c.hint ? h("small", {}, c.hint) : null),
    ),
  );
  const element = h(
    "fieldset",
    { class: `field choice${choices.some((c) => c.hint) ? " tall" : ""}` },
    h("legend", {}, label),
    h("div", { class: "options" }, ...options),
  );
  element.addEventListener("change", () => onChange?.(field.value));
  const field = {
    element,
    get value() {
      return inputs.find((input) => input.checked)?.value ?? "";
    },
    set value(wanted: string) {
      for (const input of inputs) input.checked = input.value === wanted;
    },
  };
  return field;
}

/** One of many choices, in a list that opens. */
export function select(
  label: string,
  choices: Choice[],
  value: string,
  onChange?: (value: string) => void,
): Field<string> & { input: HTMLSelectElement } {
  const id = newId();
  const input = h(
    "select",
    { id },
    ...choices.map((c) =>
      h("option", { value: c.value, selected: c.value === value }, c.label),
    ),
  );
  input.addEventListener("change", () => onChange?.(input.value));
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), input),
    input,
    get value() {
      return input.value;
    },
    set value(wanted: string) {
      input.value = wanted;
    },
  };
}

/** A switch that is on or off. */
export function toggleField(
  label: string,
  value: boolean,
  onChange?: (value: boolean) => void,
): Field<boolean> {
  const input = h("input", { type: "checkbox", checked: value });
  input.addEventListener("change", () => onChange?.(input.checked));
  return {
    element: h("label", { class: "field toggle" }, input, h("span", {}, label)),
    get value() {
      return input.checked;
    },
    set value(wanted: boolean) {
      input.checked = wanted;
    },
  };
}

/** A text of a few lines. */
export function textField(
  label: string,
  options: { most: number; hint: string; placeholder: string },
  onInput: (value: string) => void,
): Field<string> {
  const { most, hint, placeholder } = options;
  const id = newId();
  const input = h("textarea", { id, rows: 2, maxlength: most, placeholder, spellcheck: "false" });
  input.addEventListener("input", () => onInput(input.value));
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), input, described(input, hint)),
    get value() {
      return input.value;
    },
    set value(wanted: string) {
      input.value = wanted;
    },
  };
}

export interface NumberOptions {
  label: string;
  min: number;
  max: number;
  step?: number;
  value: number;
  unit?: string;
  onChange?: (value: number) => void;
}

/** A number between two limits; what lies outside is moved to the nearer one when it is left. */
export function numberField(options: NumberOptions): Field<number> {
  const { label, min, max, step = 1, unit, onChange } = options;
  const id = newId();
  const input = h("input", {
    type: "number",
    id,
    min,
    max,
    step,
    value: options.value,
    inputmode: Number.isInteger(step) ? "numeric" : "decimal",
  });
  const bounded = (): number => {
    const value = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : options.value;
    const kept = Math.min(max, Math.max(min, value));
    return Number.isInteger(step) ? Math.round(kept) : kept;
  };
  input.addEventListener("change", () => {
    input.value = String(bounded());
    onChange?.(bounded());
  });
  const box = h("div", { class: "number" }, input, unit ? h("span", {}, unit) : null);
  return {
    element: h("div", { class: "field" }, h("label", { for: id }, label), box),
    get value() {
      return bounded();
    },
    set value(value: number) {
      input.value = String(value);
    },
  };
}

function described(input: HTMLElement, hint: string): HTMLElement {
  const id = newId();
  input.setAttribute("aria-describedby", id);
  return h("p", { class: "hint", id }, hint);
}
