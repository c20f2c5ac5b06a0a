"""What schedulers of clusters take to run a study: one job for each case, then one that puts all
cases together."""

SCHEDULERS = ("slurm", "snakemake")
SLURM = """#!/bin/bash
#SBATCH --job-name=v2g
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task=1
#SBATCH --output=v2g-%A_%a.log
# sbatch this file; once every job has ended, put all cases together with
#   v2g batch {study} -o {folder}
v2g batch {study} -o {folder} --index "$SLURM_ARRAY_TASK_ID" || [ $? -eq 7 ]
"""
SNAKEMAKE = """# snakemake --snakefile THIS_FILE --cores 4
rule all:
    input: "v2g-study.done"

rule case:
    output: touch("v2g-cases/{{index}}.done")
    threads: 1
    shell: "v2g batch {study} -o {folder} --index {{wildcards.index}} || [ $? -eq 7 ]"

rule together:
    input: expand("v2g-cases/{{index}}.done", index=range({count}))
    output: touch("v2g-study.done")
    shell: "v2g batch {study} -o {folder} || [ $? -eq 7 ]"
"""


def job_script(scheduler: str, count: int, study: str, folder: str) -> str:
    """The file that a scheduler takes.

    A case without a result ends its own job well: the last step tells it, and leaves with 7.

    Parameters
    ----------
    scheduler : {"slurm", "snakemake"}
        Who runs the cases.
    count : int
        Number of cases.
    study, folder : str
        The study file and the folder of its results, as a shell takes them.
    """
    text = SLURM if scheduler == "slurm" else SNAKEMAKE
    return text.format(last=count - 1, count=count, study=study, folder=folder)
