/** The accounts of a local trial. They never exist beside real users. */
export const DEMO_USERS = ["ada", "grace", "linus"].map((name) => ({
  email: `${name}@example.com`,
  password: "scoreboard",
}))
