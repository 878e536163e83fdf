/** Runs and measurements as one self-contained HTML page: `runRecord.ts` reads a run's folder, `report.ts` says what stands where, `chart.ts` draws. */
export { metricsCsv } from './csv.ts'
export { comparisonPage } from './comparisonPage.ts'
export { figuresInWords, mebibytes, percent } from './figures.ts'
export { reportPage, type Report, type ReportRow } from './report.ts'
export { readRun, type RunRecord } from './runRecord.ts'
