/** What processes tell each other: settings as zod schemas, and events. No native import, so every process may use it. */
export * from './events.ts'
export * from './settings.ts'
