// The tabs of the views, and the link to the start; arrows move between tabs.

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

const TABS: readonly ViewName[] = VIEWS.filter((name) => name !== "start");

export interface Tabs {
  element: HTMLElement;
  home: HTMLElement;
  select(name: ViewName): void;
  label(name: ViewName): string;
}

export function makeTabs(onVisit: (name: ViewName) => void): Tabs {
  const home = h(
    "a",
    { class: "brand", href: "#/start", "aria-label": "Collage studio, start" },
    h("img", { src: "/static/pictures/icon.svg", alt: "", width: 30, height: 30 }),
    h("span", {}, "Collage"),
  );
  const tabs = TABS.map((name) => {
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
    const name = next === undefined ? undefined : TABS[next];
    if (event.key === " ") (document.activeElement as HTMLElement).click();
    if (event.key === " " || name) event.preventDefault();
    if (at < 0 || next === undefined || !name) return;
    tabs[next]?.focus();
    onVisit(name);
  });
  return {
    element,
    home,
    select(name) {
      const at = TABS.indexOf(name);
      for (const [index, tab] of tabs.entries()) {
        tab.setAttribute("aria-selected", String(index === at));
        tab.tabIndex = index === Math.max(0, at) ? 0 : -1;
      }
      if (at < 0) home.setAttribute("aria-current", "page");
      else home.removeAttribute("aria-current");
    },
    label: (name) => LABELS[name],
  };
}
