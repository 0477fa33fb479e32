// Shapes of icons, in units of a square of 24.

export const ICONS = {
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  whole: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  undo: "M8 5L4 9l4 4M4 9h9a6 6 0 010 12h-3",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  start: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  compress: "M4 4l6 6M10 5v5H5M20 20l-6-6M14 19v-5h5M20 4l-6 6M14 5v5h5M4 20l6-6M10 19v-5H5",
  zoom: "M10.5 4a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM15.5 15.5L20 20M10.5 8v5M8 10.5h5",
  fractalize: "M4 4h16v16H4zM12 4v16M4 12h16M16 12v8M12 16h8",
  stylize: "M5 19c3 0 5-1 5-4l8-10 2 2-10 8M5 19c1-1 1-3 2-4s3-1 3 0",
  restore: "M4 20l9-9M15 4v4M13 6h4M19 10v3M17.5 11.5h3M8 4v3M6.5 5.5h3M13 11l2 2-9 9",
  morph: "M9 6a6 6 0 100 12 6 6 0 000-12zM15 6a6 6 0 110 12 6 6 0 010-12z",
  draw: "M5 6h3v12M5 18h6M14 8a3 3 0 116 0c0 4-6 5-6 10h6",
  movie: "M4 6h16v12H4zM10 9.5v5l4.5-2.5z",
  dice: "M5 5h14v14H5zM9 9h.01M15 9h.01M9 15h.01M15 15h.01M12 12h.01",
  link: "M10 14a4 4 0 006 0l3-3a4 4 0 00-6-6l-1 1M14 10a4 4 0 00-6 0l-3 3a4 4 0 006 6l1-1",
  send: "M4 12h14M13 6l6 6-6 6",
} as const;
