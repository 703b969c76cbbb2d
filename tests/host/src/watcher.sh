# Runs "$@" until it ends or stdin does. Arguments before the command: log file, signal that stops it, folder to remove.
# Prints the exit code when the command ends. A line "leave" on stdin stops it and keeps the folder.
log=$1 signal=$2 folder=$3
shift 3
exec 3<&0
"$@" </dev/null 3<&- >>"$log" 2>&1 &
server=$!
{
  read -r order <&3
  trap '' TERM # what was read must not be lost
  kill -s "$signal" "$server"
  [ "$order" = leave ]
} &
reader=$!
trap '' PIPE # nobody may be left to read the exit code
wait "$server"
code=$?
kill "$reader"
wait "$reader"
read_status=$?
echo "$code" # only now: an order that answers this line is for us, not for the reader
case $read_status in
  0) order=leave ;;
  1) order= ;;
  *) read -r order <&3 ;; # it ended by itself: the folder stays until we are let go
esac
[ "$order" = leave ] || [ -z "$folder" ] || rm -rf -- "$folder"
