export interface EstimateRow {
  readonly name: string
  readonly updates: number
  /** What the estimate itself took. */
  readonly rehearsalSeconds: number
  readonly estimated: Figures
  readonly measured: Figures
}

interface Figures {
  readonly secondsPerUpdate: number
  readonly seconds: number
  readonly bytes: number
}

const off = (estimated: number, measured: number): string => `${estimated >= measured ? '+' : '−'}${Math.abs(100 * (estimated / measured - 1)).toFixed(0)} %`

/** docs/estimate.md from bench/estimates.json. */
export const estimateDocument = (rows: readonly EstimateRow[]): string =>
  `${[
    '# What `cald estimate` says, and what was',
    '<!-- Made by `npx tsx bench/estimate.ts` from bench/estimates.json. -->',
    'Six conversions, none of which the model of time and memory was made with: estimated first, then run, on the same machine (2 threads, a shared one). The aim is 20 %.',
    '',
    '| conversion | an update, s | | in all, s | | peak memory, GB | | the estimate took |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(({ name, updates, rehearsalSeconds, estimated: e, measured: m }) =>
      `| ${[
        `${name}, ${updates} updates`,
        `${e.secondsPerUpdate.toPrecision(3)}, was ${m.secondsPerUpdate.toPrecision(3)}`,
        off(e.secondsPerUpdate, m.secondsPerUpdate),
        `${e.seconds.toFixed(1)}, was ${m.seconds.toFixed(1)}`,
        off(e.seconds, m.seconds),
        `${(e.bytes / 1e9).toFixed(2)}, was ${(m.bytes / 1e9).toFixed(2)}`,
        off(e.bytes, m.bytes),
        `${rehearsalSeconds.toFixed(1)} s`,
      ].join(' | ')} |`,
    ),
    '',
    'Time is that of rehearsals: five updates of the run itself on a batch like the mean one, with models cut down to one layer and to four; memory is counted from the shapes of the programs',
    '(`engine/distill/footprint.ts`), and what the process held beyond that count in the first rehearsal is added. A phase of mixers alone, the end of a hybrid guidance, and early stops count as if the run went on as it begins.',
  ].join('\n')}\n`
