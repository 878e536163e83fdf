import type { Figures } from '../../engine/contract/index.ts'

/** Figures as the app writes them. */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`
/** What an evaluation measured, in words. */
export const figures = ({ wer, cer, accuracy }: Figures): string =>
  [['WER', wer] as const, ['CER', cer] as const, ['accuracy', accuracy] as const].flatMap(([name, value]) => (value === undefined ? [] : `${name} ${percent(value)}`)).join(', ')
export const signedPercent = (fraction: number): string => `${fraction > 0 ? '+' : fraction < 0 ? '−' : '±'}${(100 * Math.abs(fraction)).toFixed(1)} points`
export const count = (value: number): string => value.toLocaleString('en')
export const bytes = (value: number): string => (value < 1024 ? `${value} B` : value < 2 ** 20 ? `${(value / 1024).toFixed(1)} KiB` : value < 2 ** 30 ? `${(value / 2 ** 20).toFixed(1)} MiB` : `${(value / 2 ** 30).toFixed(2)} GiB`)
export const millions = (value: number): string => (value >= 1e6 ? `${(value / 1e6).toFixed(value >= 1e8 ? 0 : 1)} M` : value >= 1e3 ? `${(value / 1e3).toFixed(0)} k` : `${value}`)

export const duration = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60]
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`
}
export const date = (iso: string): string => new Date(iso).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' })
/** A time of day, to the second. */
export const timeOf = (iso: string): string => new Date(iso).toLocaleTimeString('en-GB')
