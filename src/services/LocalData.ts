/** Where `npm start` keeps accounts and keys, in the folder that it is started in; they survive a restart. */
export const LOCAL_DATA = ".data"

/** Where it keeps its database. */
export const LOCAL_POSTGRES = `${LOCAL_DATA}/postgres`
