import { open, readFile } from 'node:fs/promises'
import { AudioError, MissingFileError, reasonOf } from '../errors.ts'
import { resample } from './resample.ts'
import { decodeWav, readWavHeader, type WavHeader } from './wav.ts'

/** A stretch of a recording, in seconds; without a duration it goes on to the end. */
export interface Stretch {
  readonly offset?: number | undefined
  readonly duration?: number | undefined
}

const missing = (path: string, error: unknown): never => {
  throw new MissingFileError(`${path}: expected a recording, found ${reasonOf(error)}`)
}

/** Chunks before the samples rarely take more than this. */
const headerBytes = 65_536

/** Seconds of audio in a file, from its header. AudioError or MissingFileError when it is not a readable WAV. */
export const recordingSeconds = async (path: string): Promise<number> => {
  const handle = await open(path).catch((error: unknown) => missing(path, error))
  try {
    const { size } = await handle.stat()
    const beginning = new Uint8Array(Math.min(size, headerBytes))
    await handle.read(beginning, 0, beginning.length, 0)
    const { samples, samplingRate } = await headerOf(beginning, path, size)
    return samples / samplingRate
  } catch (error) {
    if (error instanceof AudioError) throw error
    return missing(path, error)
  } finally {
    await handle.close()
  }
}

/** The header from a file's beginning, or from the whole of it when long chunks stand before the samples. */
const headerOf = async (beginning: Uint8Array, path: string, size: number): Promise<WavHeader> => {
  try {
    return readWavHeader(beginning, path, size)
  } catch (error) {
    if (beginning.length === size) throw error
    return readWavHeader(await readFile(path), path, size)
  }
}

/** A recording, or a stretch of it, mixed down to one channel (the mean) at the given sampling rate. */
export const readRecording = async (path: string, samplingRate: number, { offset = 0, duration }: Stretch = {}): Promise<Float32Array> => {
  const bytes = await readFile(path).catch((error: unknown) => missing(path, error))
  const { samplingRate: from, channels } = decodeWav(bytes, path)
  const total = channels[0]!.length
  const start = Math.round(offset * from)
  const end = duration === undefined ? total : Math.min(total, start + Math.round(duration * from))
  if (start >= end) throw new AudioError(`${path}: expected the stretch from ${offset} s inside the recording, found ${(total / from).toFixed(2)} s of audio`)
  const mono = channels.length === 1 ? channels[0]!.subarray(start, end) : mean(channels.map((channel) => channel.subarray(start, end)))
  return resample(mono, from, samplingRate)
}

const mean = (channels: readonly Float32Array[]): Float32Array => channels[0]!.map((_, i) => channels.reduce((total, channel) => total + channel[i]!, 0) / channels.length)
