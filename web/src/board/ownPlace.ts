/** Whether a row belongs to the viewer. Addresses differ in nothing but case when people type them. */
export const isOwn = (email: string, viewer: string | undefined): boolean =>
  viewer !== undefined && email.toLowerCase() === viewer.toLowerCase()
