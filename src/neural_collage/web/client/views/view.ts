// What the page asks of a view.

export interface View {
  readonly element: HTMLElement;
  /** Show it with the settings of an address. */
  enter(query: URLSearchParams): void;
  /** Another view is shown. */
  leave?(): void;
}
