module transcript-pipeline.local/part

go 1.26.0

require github.com/external-secrets/external-secrets v0.16.2
