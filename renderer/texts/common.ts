/** Words that several screens share. */
export const common = {
  play: (label: string): string => `Play: ${label}`,
  pause: (label: string): string => `Pause: ${label}`,
  position: (label: string): string => `Position in ${label}`,
  positionOf: (now: number, seconds: number): string => `${now.toFixed(1)} of ${seconds.toFixed(1)} seconds`,
  clock: (now: number, seconds: number): string => `${now.toFixed(1)} / ${seconds.toFixed(1)} s`,
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  faster: 'Speed',
  playerKeys: 'Space plays and pauses; arrows move by a second, with Shift by a tenth; plus and minus zoom.',
  close: 'Close',
}
