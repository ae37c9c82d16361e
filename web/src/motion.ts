/** Whether the viewer asked their system for less motion. Read at each use: it may change while the page is open. */
export const prefersStill = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches
