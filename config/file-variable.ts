/** By which a tool says which file the stack's configuration is in; the engine does not tell its program. */
export const CONFIG_FILE_VARIABLE = "TRANSCRIPT_PIPELINE_CONFIG_FILE";
