/**
 * A text that changes. A browser's translator replaces the text nodes of a page by elements of its own, and Preact would
 * continue to change the old nodes, which nobody sees. So each new text is a new element. Without a text, there is none.
 */
export const ChangingText = ({ children }: { readonly children: string }) =>
  children === "" ? null : <span key={children}>{children}</span>
