import { percent } from '../engine/report/index.ts'
import { peaks, plan, updates } from './plan.ts'
import type { Result, Results } from './results.ts'

const finalWer = ({ evaluations }: Result): number => evaluations.at(-1)!.wer

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** The first update at which a run was evaluated at no more than so many errors. */
const reached = ({ evaluations }: Result, wer: number): number | undefined => evaluations.find((evaluation) => evaluation.wer <= wer)?.update

const row = (name: string, of: readonly Result[], goal: number | undefined): string => {
  const wers = of.map(finalWer)
  const spread = wers.length === 1 ? '' : `${percent(Math.min(...wers))} to ${percent(Math.max(...wers))}`
  const arrivals = goal === undefined ? [] : of.map((result) => reached(result, goal))
  const arrival = arrivals.map((update) => update ?? 'not').join(', ')
  return `| ${name} | ${of.length} | ${percent(mean(wers))} | ${spread} | ${percent(mean(of.map(({ evaluations }) => evaluations.at(-1)!.cer)))} | ${arrival} | ${Math.round(mean(of.map(({ seconds }) => seconds)))} |`
}

const at = (result: Result, update: number): string => {
  const found = result.evaluations.find((evaluation) => evaluation.update === update)
  return found === undefined ? '–' : (100 * found.wer).toFixed(1)
}

/** docs/study.md from the raw results. */
export const studyDocument = ({ teacher, source, data, results }: Results): string => {
  const names = [...new Set(plan.map(({ name }) => name))].filter((name) => results.some((result) => result.name === name))
  const of = (name: string): Result[] => results.filter((result) => result.name === name)
  const goal = of('target').length === 0 ? undefined : mean(of('target').map(finalWer))
  const missing = [...new Set(plan.map(({ name }) => name))].filter((name) => !names.includes(name))
  const steps = [...new Set(results.flatMap(({ evaluations }) => evaluations.map(({ update }) => update)))].sort((a, b) => a - b)
  return `${[
    '# Study: ways of guiding, on digits',
    '<!-- Made by `npm run study:document` from study/results.json; study/plan.ts has the settings. -->',
    `Teacher \`digits\` (WER ${percent(teacher.wer)}, CER ${percent(teacher.cer)} on the development data), source \`source\`; every conversion has ${updates} updates of at most 30 s of audio,`,
    `with equal data, data order (by seed), schedule and mixers of head width and state 32 where the row says nothing else. Peak learning rate ${peaks[0]}; unguided conversions`,
    `have the better of ${peaks.join(' and ')}. The frontend is frozen: that of the model the student starts from, which is another in \`source\` than in \`digits\`. WER and CER are those`,
    `after the last update${goal === undefined ? '' : `; "reaches" is the first evaluation at or below the mean of the target guided conversions, ${percent(goal)}, for each seed`}.`,
    '',
    '| conversion | seeds | WER | spread | CER | reaches | seconds |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...names.map((name) => row(name, of(name), goal)),
    '',
    ...(missing.length === 0 ? [] : [`Not run yet: ${missing.join('; ')}.`, '']),
    '## WER (%) by update',
    '',
    `| conversion, seed | ${steps.join(' | ')} |`,
    `| --- |${steps.map(() => ' --- |').join('')}`,
    ...results.map((result) => `| ${result.name}, ${result.seed} | ${steps.map((step) => at(result, step)).join(' | ')} |`),
    '',
    `Weights (SHA-256): digits \`${teacher.sha256}\`, source \`${source.sha256}\`. Manifests: train \`${data.train}\`, dev \`${data.dev}\`.`,
  ].join('\n')}\n`
}
