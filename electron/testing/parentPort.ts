/** Makes of a process forked by Node what Electron's utilityProcess.fork makes: one with a `parentPort`. */
Object.assign(process, {
  parentPort: {
    postMessage: (message: unknown) => process.send!(message),
    on: (_: 'message', hear: (event: { data: unknown }) => void) => process.on('message', (data) => hear({ data })),
  },
})
process.once('disconnect', () => process.exit())
