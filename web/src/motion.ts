/** Whether the viewer's system asks for less motion. Read at each use, because it may change while the page is open. */
export const prefersStill = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches
