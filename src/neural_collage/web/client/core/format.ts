// Numbers in words.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** "87 bytes", "11.2 kB", "3.4 MB"; decimal units, as file managers show them. */
export function size(bytes: number): string {
  if (bytes < 1000) return bytes === 1 ? "1 byte" : `${whole.format(bytes)} bytes`;
  if (bytes < 999_500) return `${short.format(bytes / 1000)} kB`;
  return `${short.format(bytes / 1e6)} MB`;
}

/** "98 % smaller", "12 % larger" or "as large". saved: 1 minus the ratio of the sizes. */
export function saving(saved: number): string {
  const percent = Math.abs(saved) * 100;
  if (percent < 0.5) return "as large";
  if (saved > 0) {
    // 99.6 % is not "100 % smaller"
    return `${percent > 99 ? Math.floor(percent * 10) / 10 : whole.format(percent)} % smaller`;
  }
  return percent > 900 ? `${short.format(1 - saved)} times as large` : `${whole.format(percent)} % larger`;
}

/** "about 12 s left", "about 3 min left". */
export function remaining(seconds: number): string {
  if (seconds < 1.5) return "a moment left";
  if (seconds < 90) return `about ${Math.round(seconds)} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

export function megapixels(width: number, height: number): string {
  return `${short.format((width * height) / 1e6)} megapixels`;
}

export function dimensions(width: number, height: number): string {
  return `${whole.format(width)} × ${whole.format(height)}`;
}

/** "1.5x", "40x", "12,400x". */
export function times(factor: number): string {
  if (factor < 10) return `${factor.toFixed(1).replace(/\.0$/, "")}×`;
  if (factor < 1e6) return `${whole.format(factor)}×`;
  return `${short.format(factor / 1e6)} million ×`;
}

/** How wide a picture would be on a screen of 96 pixels per inch. */
export function onScreen(pixels: number): string {
  const metres = (pixels / 96) * 0.0254;
  if (metres < 1) return `${whole.format(metres * 100)} cm`;
  if (metres < 1000) return `${short.format(metres)} m`;
  return `${short.format(metres / 1000)} km`;
}

/** A name without its last suffix. */
export function stem(name: string): string {
  return name.replace(/\.[^.]{1,5}$/, "") || "picture";
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;
