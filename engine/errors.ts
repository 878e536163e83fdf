/**
 * Named errors. A message is one line: what was expected, what was found, in which file or tensor.
 * `exitCode` is what the command line ends with: 2 for bad usage or bad input, 1 for a failure, 130 for an interrupt.
 */
export abstract class CaldError extends Error {
  abstract readonly exitCode: 1 | 2 | 130
  override get name(): string {
    return this.constructor.name
  }
}

abstract class InputError extends CaldError {
  readonly exitCode = 2
}

/** A setting, flag or combination of them that makes no sense. */
export class UsageError extends InputError {}
/** A file or folder that was named and is not there, or cannot be read. */
export class MissingFileError extends InputError {}
/** A weights file that is damaged, or whose tensors do not fit the model. */
export class CheckpointError extends InputError {}
/** A config.json, preprocessor_config.json or vocab.json that is not one, or describes something unsupported. */
export class ConfigError extends InputError {}
/** A manifest line that is not what it should be; the message carries file and line number. */
export class ManifestError extends InputError {}
/** A recording that cannot be decoded or is empty. */
export class AudioError extends InputError {}
/** Text that the vocabulary cannot express under the chosen policy. */
export class VocabularyError extends InputError {}
/** An output folder that holds something already, or cannot be written. */
export class OutputError extends InputError {}

abstract class FailureError extends CaldError {
  readonly exitCode = 1
}

/** A graph that breaks a rule of the IR: names the operation, what it expected and what it got. */
export class GraphError extends FailureError {}
/** The runtime refused a graph, an input or a device. */
export class RuntimeError extends FailureError {}
/** The runtime found no memory for a tensor. */
export class OutOfMemoryError extends RuntimeError {}
/** A loss or gradient that is not finite. */
export class DivergedError extends FailureError {}
/** Writing failed half-way (full disk, lost permission); what stood there before still stands. */
export class WriteError extends FailureError {}

/** The process that computes ended while it had work; what it had written stands. */
export class EngineEndedError extends FailureError {}

/** The user stopped the run; a checkpoint was kept. */
export class InterruptedError extends CaldError {
  readonly exitCode = 130
}

/** The one line to show for anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What is wrong, for who names the file: of "ENOENT: no such file or directory, open '/a/b'" the middle. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error && 'syscall' in error ? (/^E[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message) : messageOf(error)
