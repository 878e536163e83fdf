import { percent } from '../engine/report/index.ts'
import { peaks, plan, updates } from './plan.ts'
import type { Evaluation, Result, Results } from './results.ts'

/** Of speakers: the accuracy that the updates to it are counted for. */
const accurate = 0.95

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

const last = ({ evaluations }: Pick<Result, 'evaluations'>): Evaluation => evaluations.at(-1)!
const finalWer = (result: Result): number => last(result).wer!

/** The first update at which a run was evaluated as good as that. */
const reached = ({ evaluations }: Pick<Result, 'evaluations'>, good: (evaluation: Evaluation) => boolean): number | undefined => evaluations.find(good)?.update
const arrivals = (of: readonly Pick<Result, 'evaluations'>[], good: (evaluation: Evaluation) => boolean): string => of.map((result) => reached(result, good) ?? 'not').join(', ')

const spread = (values: readonly number[]): string => (values.length === 1 ? '' : `${percent(Math.min(...values))} to ${percent(Math.max(...values))}`)
const seconds = (of: readonly Result[]): number => Math.round(mean(of.map((result) => result.seconds)))

/** The results of a task by the rows of the plan, those with results first to last. */
const rowsOf = (task: Result['task'], results: readonly Result[]): { rows: Map<string, Result[]>; missing: string[] } => {
  const names = [...new Set(plan.filter((entry) => entry.task === task).map(({ name }) => name))]
  const rows = new Map(names.map((name) => [name, results.filter((result) => result.name === name)] as const).filter(([, of]) => of.length > 0))
  return { rows, missing: names.filter((name) => !rows.has(name)) }
}

const notRun = (missing: readonly string[]): string[] => (missing.length === 0 ? [] : ['', `Not run yet: ${missing.join('; ')}.`])

/** The unguided rows' better learning rate by the mean of its last errors. */
const betterUnguided = (rows: ReadonlyMap<string, readonly Result[]>, badness: (result: Result) => number): [string, readonly Result[]] | undefined =>
  peaks
    .map((peak) => [...rows].find(([name]) => name.endsWith(`unguided, peak ${peak}`)))
    .filter((row) => row !== undefined)
    .sort(([, a], [, b]) => mean(a.map(badness)) - mean(b.map(badness)))[0]

/** What guidance gained over its absence, beside how far seeds lie apart. */
const comparison = (rows: ReadonlyMap<string, readonly Result[]>): string[] => {
  const [target, unguided] = [rows.get('target'), betterUnguided(rows, finalWer)]
  if (target === undefined || unguided === undefined) return []
  const [guided, alone] = [target.map(finalWer), unguided[1].map(finalWer)]
  const beyond = Math.max(...guided) < Math.min(...alone)
  return [
    '',
    `Target guidance ends ${percent(mean(alone) - mean(guided))} (absolute) below ${unguided[0]}; its worst seed, ${percent(Math.max(...guided))}, is ${beyond ? 'better than' : 'not better than'} the best unguided one, ${percent(Math.min(...alone))}.`,
  ]
}

/** How much earlier the quickest other way reached what target guidance ended with. */
const quickest = (rows: ReadonlyMap<string, readonly Result[]>, goal: number | undefined): string[] => {
  if (goal === undefined) return []
  const times = [...rows]
    .filter(([name]) => name !== 'target')
    .map(([name, of]) => ({ name, update: mean(of.map((result) => reached(result, ({ wer }) => wer! <= goal) ?? Infinity)) }))
    .filter(({ update }) => update < Infinity)
    .sort((a, b) => a.update - b.update)
  const [first] = times
  if (first === undefined) return ['No other conversion reaches the mean that target guidance ends with.']
  return [`Of the others, "${first.name}" is the first to reach the mean that target guidance ends with, after ${first.update} of its ${updates} updates: ${(updates / first.update).toFixed(1)} times sooner.`]
}

/** What the conversions of fewer updates end with, beside target guidance after all of its own. */
const shorter = (rows: ReadonlyMap<string, readonly Result[]>, goal: number | undefined): string[] =>
  [...rows].flatMap(([name, of]) => {
    const own = of[0]!.training.updates
    if (goal === undefined || own >= updates) return []
    const wer = mean(of.map(finalWer))
    const enough = wer <= goal ? 'that is enough for' : 'that is not enough for'
    return [`"${name}" ends with ${percent(wer)} after ${own} updates (1/${(updates / own).toFixed(0)} of them): ${enough} the ${percent(goal)} of target guidance after ${updates}.`]
  })

/** WER of target guidance after so many updates, beside that of conversions in a fifth of them. */
const inAFifth = (rows: ReadonlyMap<string, readonly Result[]>): string[] => {
  const target = rows.get('target')
  const short = [...rows].filter(([, of]) => of[0]!.training.updates === updates / 5)
  if (target === undefined || short.length === 0) return []
  const steps = target[0]!.evaluations.map(({ update }) => update)
  const meanAt = (of: readonly Result[], update: number): string => {
    const wers = of.flatMap(({ evaluations }) => evaluations.filter((evaluation) => evaluation.update === update).map(({ wer }) => wer!))
    return wers.length < of.length ? '–' : (100 * mean(wers)).toFixed(1)
  }
  const cells = (of: readonly Result[], share: number): string => steps.map((step) => meanAt(of, step * share)).join(' | ')
  return ['', `| mean WER (%) after N updates | ${steps.join(' | ')} |`, `| --- |${steps.map(() => ' --- |').join('')}`, `| target, N | ${cells(target, 1)} |`, ...short.map(([name, of]) => `| ${name}, N / 5 | ${cells(of, 1 / 5)} |`)]
}

const digits = (results: readonly Result[]): string[] => {
  const { rows, missing } = rowsOf('digits', results)
  const target = rows.get('target')
  const goal = target === undefined ? undefined : mean(target.map(finalWer))
  const every = plan[0]!.training.evaluateEvery
  const steps = [...new Set([...rows.values()].flat().flatMap(({ evaluations }) => evaluations.map(({ update }) => update)))].filter((update) => update % every === 0).sort((a, b) => a - b)
  const at = (result: Result, update: number): string => {
    const wer = result.evaluations.find((evaluation) => evaluation.update === update)?.wer
    return wer === undefined ? '–' : (100 * wer).toFixed(1)
  }
  return [
    '## Digits',
    '',
    `WER and CER on the development data after the last update${goal === undefined ? '' : `; "reaches" is the first evaluation at or below the mean of the target guided conversions, ${percent(goal)}, for each seed`}.`,
    '',
    '| conversion | seeds | WER | spread | CER | reaches | seconds |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...rows].map(([name, of]) => {
      const wers = of.map(finalWer)
      const arrival = goal === undefined ? '' : arrivals(of, ({ wer }) => wer! <= goal)
      return `| ${name} | ${of.length} | ${percent(mean(wers))} | ${spread(wers)} | ${percent(mean(of.map((result) => last(result).cer!)))} | ${arrival} | ${seconds(of)} |`
    }),
    ...comparison(rows),
    ...quickest(rows, goal),
    ...shorter(rows, goal),
    ...inAFifth(rows),
    ...notRun(missing),
    '',
    'WER (%) by update:',
    '',
    `| conversion, seed | ${steps.join(' | ')} |`,
    `| --- |${steps.map(() => ' --- |').join('')}`,
    ...[...rows].flatMap(([name, of]) => of.map((result) => `| ${name}, ${result.seed} | ${steps.map((step) => at(result, step)).join(' | ')} |`)),
  ]
}

const speakers = ({ results, speakerTeacher }: Results): string[] => {
  if (speakerTeacher === undefined) return []
  const { rows, missing } = rowsOf('speakers', results)
  const good = ({ accuracy }: Evaluation): boolean => accuracy! >= accurate
  const row = (name: string, of: readonly Pick<Result, 'evaluations' | 'seconds'>[]): string => {
    const accuracies = of.map((result) => last(result).accuracy!)
    const best = of.map(({ evaluations }) => Math.max(...evaluations.map(({ accuracy }) => accuracy!)))
    return `| ${name} | ${of.length} | ${percent(mean(accuracies))} | ${spread(accuracies)} | ${percent(mean(best))} | ${arrivals(of, good)} | ${Math.round(mean(of.map((one) => one.seconds)))} |`
  }
  return [
    '',
    '## Speakers',
    '',
    `Which of six speakers says the digits: the teacher is \`digits\` with a new head (HF's projector and mean over time), fine-tuned for ${speakerTeacher.training.updates} updates; its conversions have the data, schedules and mixers of the digits.`,
    `"Reaches" is the first evaluation, every ${speakerTeacher.training.evaluateEvery} updates, of at least ${percent(accurate)} accuracy on the development data, for each seed.`,
    '',
    '| model | seeds | accuracy | spread | best | reaches | seconds |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    row('teacher', [speakerTeacher]),
    ...[...rows].map(([name, of]) => row(name.replace('speakers, ', ''), of)),
    ...notRun(missing.map((name) => name.replace('speakers, ', ''))),
  ]
}

/** docs/study.md from the raw results. */
export const studyDocument = (all: Results): string => {
  const { teacher, source, data, results } = all
  return `${[
    '# Study: ways of guiding',
    '<!-- Made by `npm run study:document` from study/results.json; study/plan.ts has the settings. -->',
    `Teacher \`digits\` (WER ${percent(teacher.wer)}, CER ${percent(teacher.cer)} on the development data), source \`source\`; every conversion has ${updates} updates of at most 30 s of audio,`,
    `with equal data, data order (by seed), schedule and mixers of head width and state 32 where the row says nothing else. Peak learning rate ${peaks[0]}; unguided conversions`,
    `have the better of ${peaks.join(' and ')}. The frontend is frozen: that of the model the student starts from, which is another in \`source\` than in \`digits\`.`,
    '`npm run study -- --digits FOLDER --waypoints FOLDER` runs what is missing and goes on where it was interrupted.',
    '',
    ...digits(results),
    ...speakers(all),
    '',
    `Weights (SHA-256): digits \`${teacher.sha256}\`, source \`${source.sha256}\`. Manifests: train \`${data.train}\`, dev \`${data.dev}\`.`,
  ].join('\n')}\n`
}
