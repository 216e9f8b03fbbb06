{{/* What the collector's pod has for signed checkpoints; nothing where no Secret with a key is named. */}}

{{- define "penstock.checkpoints.env" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_KEY_FILE, value: /var/run/penstock/checkpoints/checkpoint.key}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_MINUTES, value: {{ .minutes | quote }}}
{{- if .existingClaim }}
- {name: PENSTOCK_COLLECTOR_CHECKPOINT_DIRECTORY, value: /var/lib/penstock-checkpoints}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "penstock.checkpoints.mounts" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: checkpoint-key, mountPath: /var/run/penstock/checkpoints, readOnly: true}
{{- if .existingClaim }}
- {name: checkpoints, mountPath: /var/lib/penstock-checkpoints}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "penstock.checkpoints.volumes" -}}
{{- with .Values.collector.checkpoints }}
{{- if .secret }}
- {name: checkpoint-key, secret: {secretName: {{ .secret }}}}
{{- if .existingClaim }}
- {name: checkpoints, persistentVolumeClaim: {claimName: {{ .existingClaim }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
