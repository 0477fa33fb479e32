#!/bin/bash
# Trains on two machines with eight GPUs each, requeued until the training is finished:
#
#     sbatch examples/slurm.sh --config x.yaml
#
# Submit it from a shell with `collage` in its path. Options of sbatch override the lines below.
#SBATCH --job-name=collage
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append

# The signal is sent five minutes before the time limit. The training then finishes its step and
# saves a checkpoint, and the job is requeued under the same number.
time_is_up=
trap 'time_is_up=yes; scancel --signal=TERM "$SLURM_JOB_ID"' USR1

srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" collage train "$@" --ckpt last &
wait $!
status=$?
if [ "$time_is_up" ]; then
    wait $!
    status=$?
    [ $status = 143 ] && scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
