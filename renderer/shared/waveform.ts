import WaveSurfer from 'wavesurfer.js'
import Hover from 'wavesurfer.js/plugins/hover'
import Minimap from 'wavesurfer.js/plugins/minimap'
import Timeline from 'wavesurfer.js/plugins/timeline'

/** The waveform under the app's tokens and content policy. */
interface WaveformOptions {
  readonly container: HTMLElement
  readonly media: HTMLAudioElement
  readonly url: string
  /** Largest magnitudes of equal stretches, 0 … 1. */
  readonly peaks: readonly number[]
  readonly seconds: number
}

/** The page's nonce: its policy allows no inline style without. */
const cspNonce = (): string => document.querySelector<HTMLElement>('meta[property="csp-nonce"]')?.nonce ?? ''

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const colours = (): { waveColor: string; progressColor: string; cursorColor: string } => ({ waveColor: token('--line-strong'), progressColor: token('--accent'), cursorColor: token('--student') })

/** Seconds from which a recording is too long to be looked at whole, and pixels a second where it is looked at in part. */
const longSeconds = 40
export const fullView = 0
export const closeView = 40

export const drawWaveform = ({ container, media, url, peaks, seconds }: WaveformOptions): { readonly wave: WaveSurfer; readonly destroy: () => void } => {
  const shared = { height: 72, peaks: [[...peaks]], duration: seconds, normalize: true, barWidth: 2, barGap: 1, barRadius: 2, cspNonce: cspNonce(), ...colours() }
  const minimap = Minimap.create({ ...shared, height: 20, barWidth: 1, cursorWidth: 0, overlayColor: `color-mix(in srgb, ${token('--accent')} 18%, transparent)` })
  const wave = WaveSurfer.create({
    ...shared,
    container,
    media,
    url,
    cursorWidth: 2,
    hideScrollbar: false,
    // At once: later, it would undo a key that was pressed in between.
    dragToSeek: { debounceTime: 0 },
    minPxPerSec: seconds > longSeconds ? closeView : fullView,
    plugins: [
      Timeline.create({ height: 16, style: { fontSize: '11px', color: token('--ink-soft') }, secondaryLabelOpacity: 1 }),
      Hover.create({ lineColor: token('--student'), lineWidth: 1, labelBackground: token('--ink'), labelColor: token('--paper'), labelSize: '11px', formatTimeCallback: (at) => `${at.toFixed(2)} s` }),
      minimap,
    ],
  })
  // Colours on a canvas do not follow the theme by themselves.
  const themes = new MutationObserver(() => wave.setOptions(colours()))
  themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  return {
    wave,
    destroy: () => {
      themes.disconnect()
      wave.destroy()
    },
  }
}
