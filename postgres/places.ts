/** Paths inside the pods that several pods, or a pod and a setting, use. */

/** Mount path of the volume, in the server's pod and in those of the superuser's Jobs. */
export const VOLUME_PATH = "/var/lib/postgresql/data";
/** The data directory. */
export const DATA_PATH = `${VOLUME_PATH}/pgdata`;
/** The server's socket, for its own pod. */
export const SOCKET_PATH = "/var/run/postgresql";
/** The server's socket on the volume, for the superuser's Jobs; start-server.sh creates the directory. */
export const VOLUME_SOCKET_PATH = `${VOLUME_PATH}/socket`;
