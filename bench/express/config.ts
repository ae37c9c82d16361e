/** What both processes of the comparison read from the environment, and the parts they share. */
const required = (name: string): string => {
  const value = process.env[name]
  if (value === undefined || value === "") throw new Error(`${name} is not set`)
  return value
}

export const databaseUrl = required("DATABASE_URL")
export const redisUrl = required("REDIS_URL")
export const queueUrl = required("SQS_QUEUE_URL")
export const sqsEndpoint = process.env["AWS_ENDPOINT_URL_SQS"]

/** Only the API verifies tokens. */
export const cognito = () => ({
  issuer: required("COGNITO_ISSUER"),
  jwksUri: required("COGNITO_JWKS_URI"),
  clientId: required("COGNITO_CLIENT_ID"),
})

export const BOARD_KEY = "leaderboard:top10"
export const BOARD_CHANNEL = "leaderboard:updated"
export const BOARD_TTL_SECONDS = 60
export const INCREMENT_TYPE = "score.increment"
