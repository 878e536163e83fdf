import { recordingSeconds } from '../audio/index.ts'
import { AudioError, CaldError, MissingFileError } from '../errors.ts'

/** One line of a manifest: a recording or a stretch of one, and what is said in it. */
export interface Utterance {
  /** The path as the manifest writes it, with #offset when there is one. */
  readonly id: string
  readonly audioPath: string
  /** Seconds as it is heard; read from the recording when the manifest does not say. */
  readonly duration: number
  /** How fast the recording is played; as it is when absent. */
  readonly speed?: number
  /** Which random channel it is heard through; none when absent. */
  readonly channel?: number
  readonly offset: number | undefined
  readonly text: string | undefined
  readonly speaker: string | undefined
  /** Every field of the line that holds a word or a number, as text: what utterances may be labelled by. */
  readonly fields: Readonly<Record<string, string>>
  /** The file that lists it, or the corpus folder when none does. */
  readonly manifest: string
  /** Where messages send the reader: the manifest and its 1-based line, or the transcript's file. */
  readonly where: string
}

/** A line of any kind of manifest, before its recording has been looked at. */
export interface Line extends Omit<Utterance, 'id' | 'duration'> {
  /** The recording as the manifest names it. */
  readonly name: string
  readonly duration: number | undefined
}

/** The utterance of a line; what the line does not say of the duration is read from the recording's header. */
export const utteranceOf = async ({ name, duration, ...line }: Line): Promise<Utterance> => ({
  ...line,
  id: line.offset === undefined ? name : `${name}#${line.offset}`,
  duration: duration ?? (await located(line.where, () => recordingSeconds(line.audioPath))) - (line.offset ?? 0),
})

/** Errors about a recording, with the manifest line that names it. */
export const located = async <T>(where: string, job: () => Promise<T>): Promise<T> => {
  try {
    return await job()
  } catch (error) {
    if (error instanceof AudioError) throw new AudioError(`${where}: ${error.message}`)
    if (error instanceof CaldError) throw new MissingFileError(`${where}: ${error.message}`)
    throw error
  }
}
