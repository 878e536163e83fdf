/** What processes tell each other: settings as zod schemas, requests, events. No native import, so every process may use it. */
export * from './app.ts'
export * from './comparison.ts'
export { conversionSchema, preferencesSchema, type Conversion, type ConversionInput, type Preferences } from './conversion.ts'
export * from './events.ts'
export * from './library.ts'
export { upSchema, type Down, type Up } from './processes.ts'
export * from './settings.ts'
