/** How figures are written wherever people read them. */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`
export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`
