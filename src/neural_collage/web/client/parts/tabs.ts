// The tabs of the views; arrows move between them.

import { type ViewName, VIEWS } from "../core/address";
import { h, icon } from "../core/dom";
import { ICONS } from "./icons";

const LABELS: Record<ViewName, string> = {
  start: "Start",
  compress: "Compress",
  zoom: "Zoom",
  fractalize: "Fractalize",
  stylize: "Stylize",
  restore: "Restore",
  morph: "Morph",
  draw: "Draw",
};

export interface Tabs {
  element: HTMLElement;
  select(name: ViewName): void;
  label(name: ViewName): string;
}

export function makeTabs(onVisit: (name: ViewName) => void): Tabs {
  const tabs = VIEWS.map((name) => {
    const tab = h(
      "a",
      { class: "tab", role: "tab", href: `#/${name}`, id: `tab-${name}`, "aria-controls": "view", tabindex: "-1" },
      icon(ICONS[name]),
      h("span", {}, LABELS[name]),
    );
    tab.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a browser tab of its own
      event.preventDefault();
      onVisit(name);
    });
    return tab;
  });
  const element = h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...tabs);
  element.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement as HTMLAnchorElement);
    const to: Record<string, number> = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    };
    const next = to[event.key];
    const name = next === undefined ? undefined : VIEWS[next];
    if (event.key === " ") (document.activeElement as HTMLElement).click();
    if (event.key === " " || name) event.preventDefault();
    if (at < 0 || next === undefined || !name) return;
    tabs[next]?.focus();
    onVisit(name);
  });
  return {
    element,
    select(name) {
      for (const [index, tab] of tabs.entries()) {
        const chosen = VIEWS[index] === name;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
      }
    },
    label: (name) => LABELS[name],
  };
}
