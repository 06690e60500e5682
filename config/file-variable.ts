/** A tool passes the path of the stack's configuration file in it; the engine does not tell its program. */
export const CONFIG_FILE_VARIABLE = "TRANSCRIPT_PIPELINE_CONFIG_FILE";
