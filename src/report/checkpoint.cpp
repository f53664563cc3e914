#include "filetree/checkpoint.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <exception>
#include <stdexcept>

#include "../fs/packed.hpp"
#include "../fs/platform.hpp"
#include "../fs/unique_fd.hpp"
#include "locked_directory.hpp"

// The file `frontier`: magic u32 "FTCP", version u32 = 2, complete u8, the identity (count u32,
// then names and values), started u64, number of the next part u64, parts (count u64, then number,
// rows, bytes, error bytes u64 each), progress (directories, 16 kinds, bytes, vanished, automount
// points, spilled, nanoseconds u64; threads at most u32), clamped times u64, the frontier of the
// walk (length u64, bytes; src/walk/frontier.hpp), CRC-32 u32 of all that. As packed.hpp has it.
//
// A file of errors: for each the operation u8, errno i32, path.

namespace filetree {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::uint32_t magic = 0x50435446;  // "FTCP"
constexpr std::uint32_t version = 2;
constexpr std::size_t most_bytes_on_their_way = std::size_t{64} << 20U;  // of marks
constexpr const char* frontier_name = "frontier";
constexpr const char* new_frontier_name = "frontier.new";
constexpr const char* lock_name = "lock";
constexpr std::string_view part_prefix = "part-";
constexpr std::string_view errors_prefix = "errors-";

std::uint32_t checksum(std::string_view bytes) {
    uLong sum = ::crc32(0, nullptr, 0);
    while (!bytes.empty()) {
        const std::string_view chunk = bytes.substr(0, UINT_MAX);
        sum = ::crc32(sum, reinterpret_cast<const Bytef*>(chunk.data()),
                      static_cast<uInt>(chunk.size()));
        bytes.remove_prefix(chunk.size());
    }
    return static_cast<std::uint32_t>(sum);
}

std::string numbered(std::string_view prefix, std::uint64_t number) {
    constexpr std::size_t least_digits = 6;
    const std::string digits = std::to_string(number);
    std::string name(prefix);
    name.append(least_digits - std::min(least_digits, digits.size()), '0');
    return name.append(digits);
}

std::size_t size_of(const Mark& mark) noexcept {
    return sizeof mark + mark.frontier.size() + mark.errors.size() * sizeof(EntryError);
}

// Whether it may be what numbered() returned, with a suffix or without.
bool is_numbered(std::string_view prefix, std::string_view name) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    return digits >= 6 && (digits == name.size() || name[digits] == '.');
}

// Applies `use` to every counter of a progress that adds up over runs.
template <class Progress, class Use>
void for_each_counter(Progress& progress, Use use) {
    use(progress.directories);
    for (auto& kind : progress.kinds) use(kind);
    use(progress.bytes);
    use(progress.vanished);
    use(progress.automount_points);
    use(progress.spilled);
}

}  // namespace

void add_progress(const WalkProgress& more, WalkProgress& sum) {
    std::vector<std::uint64_t> counts;
    for_each_counter(more, [&](std::uint64_t count) { counts.push_back(count); });
    auto next = counts.begin();
    for_each_counter(sum, [&](std::uint64_t& count) { count += *next++; });
    sum.errors += more.errors;
    sum.elapsed += more.elapsed;
    sum.threads_peak = std::max(sum.threads_peak, more.threads_peak);
}

class Checkpoint::State {
   public:
    State(const std::string& directory, std::string suffix, Identity identity, bool resume,
          nanoseconds interval)
        : directory_(directory, lock_name),
          suffix_(std::move(suffix)),
          identity_(std::move(identity)),
          interval_(interval),
          next_due_((Clock::now() + interval).time_since_epoch().count()) {
        const std::optional<std::string> bytes = directory_.read(frontier_name);
        if (bytes && !resume) {
            refuse("holds an unfinished report: resume it, or remove the directory");
        }
        committed_ = bytes.has_value();
        if (bytes) {
            load(*bytes);
            check_parts();
        } else {
            totals_.started = static_cast<std::uint64_t>(std::time(nullptr));
        }
        before_ = totals_;
        errors_before_ = errors_;
        remove_uncommitted();
    }

    [[nodiscard]] bool complete() const noexcept { return complete_; }
    [[nodiscard]] const std::string& frontier() const noexcept { return frontier_; }
    [[nodiscard]] const Totals& totals() const noexcept { return totals_; }
    [[nodiscard]] const Totals& totals_before() const noexcept { return before_; }
    [[nodiscard]] const std::vector<EntryError>& errors() const noexcept { return errors_; }
    [[nodiscard]] const std::vector<EntryError>& errors_before() const noexcept {
        return errors_before_;
    }
    [[nodiscard]] const ErrorCounts& errors_committed() const noexcept { return errors_committed_; }
    [[nodiscard]] const std::vector<Part>& parts() const noexcept { return parts_; }
    [[nodiscard]] std::string path_of(const Part& part) const {
        return directory_.path_of(part_name(part.number));
    }

    [[nodiscard]] const std::string& directory() const noexcept { return directory_.path(); }

    int begin_part() {
        part_ = directory_.create(part_name(next_part_));
        return part_.get();
    }

    void commit(const Mark& mark, std::uint64_t rows, bool complete) {
        bytes_on_their_way_ -= std::min(bytes_on_their_way_.load(), size_of(mark));
        const Part part = finish_part(mark, rows);
        Totals totals = before_;
        add_progress(mark.progress, totals.progress);
        totals.progress.errors = errors_.size() + mark.errors.size();
        totals.clamped_times += mark.clamped_times;

        std::vector<Part> parts = parts_;
        if (part.bytes > 0 || part.error_bytes > 0) parts.push_back(part);
        write_frontier(encode(mark.frontier, totals, parts, complete));

        errors_.insert(errors_.end(), mark.errors.begin(), mark.errors.end());
        errors_committed_ = mark.errors_so_far;
        totals_ = totals;
        parts_ = std::move(parts);
        complete_ = complete;
        next_part_ = part.number + 1;
    }

    void remove() {
        part_ = UniqueFd();
        // First what makes the rest count, last what makes it ours, whatever a power cut leaves.
        directory_.unlink_if_there(frontier_name);
        directory_.sync();
        for_each_own_file([this](const std::string& name) { directory_.unlink_if_there(name); });
        directory_.sync();
        directory_.remove_lock();
    }

    void close() noexcept {
        part_ = UniqueFd();
        try {
            if (!committed_) remove();
        } catch (const std::exception&) {
            // It is removed when somebody begins anew there.
        }
        directory_.unlock();
    }

    [[nodiscard]] bool due() const noexcept {
        if (stopping_) return !stop_marked_;
        return bytes_on_their_way_ < most_bytes_on_their_way &&
               Clock::now().time_since_epoch().count() >= next_due_;
    }
    void marked(const Mark& mark) noexcept {
        bytes_on_their_way_ += size_of(mark);
        stop_marked_ = mark.last;
        next_due_ = (Clock::now() + interval_).time_since_epoch().count();
    }
    void stop() noexcept { stopping_ = true; }
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

   private:
    [[noreturn]] void refuse(const std::string& why) const {
        throw std::invalid_argument("checkpoint: " + directory_.path() + " " + why);
    }
    [[nodiscard]] std::string part_name(std::uint64_t number) const {
        return numbered(part_prefix, number).append(suffix_);
    }

    template <class Use>
    void for_each_own_file(Use use) const {
        for (const std::string& name : directory_.names()) {
            const bool own = is_numbered(part_prefix, name) || is_numbered(errors_prefix, name) ||
                             name == new_frontier_name;
            if (own) use(name);
        }
    }

    void remove_uncommitted() {
        std::vector<std::string> kept;
        for (const Part& part : parts_) {
            if (part.bytes > 0) kept.push_back(part_name(part.number));
            if (part.error_bytes > 0) kept.push_back(numbered(errors_prefix, part.number));
        }
        std::sort(kept.begin(), kept.end());
        for_each_own_file([&](const std::string& name) {
            if (!std::binary_search(kept.begin(), kept.end(), name)) {
                directory_.unlink_if_there(name);
            }
        });
    }

    // ---- Commits ------------------------------------------------------------------------------

    // The part and the errors that are new are on disk after this.
    Part finish_part(const Mark& mark, std::uint64_t rows) {
        Part part{next_part_, rows, 0, 0};
        const std::string name = part_name(part.number);
        if (part_) {
            struct stat status {};
            if (::fstat(part_.get(), &status) != 0) directory_.fail(errno, name);
            part.bytes = static_cast<std::uint64_t>(status.st_size);
            if (part.bytes > 0 && platform::sync(part_.get()) != 0) directory_.fail(errno, name);
            part_ = UniqueFd();
            if (part.bytes == 0) directory_.unlink_if_there(name);
        }
        PackedWriter errors;
        for (const EntryError& error : mark.errors) {
            errors.put(static_cast<std::uint8_t>(error.operation));
            errors.put(static_cast<std::int32_t>(error.error));
            errors.put_string(error.path);
        }
        part.error_bytes = errors.size();
        if (errors.size() > 0) {
            directory_.write_synced(numbered(errors_prefix, part.number), errors.bytes());
        }
        directory_.sync();
        return part;
    }

    void write_frontier(const std::string& bytes) {
        directory_.write_synced(new_frontier_name, bytes);
        directory_.rename(new_frontier_name, frontier_name);
        directory_.sync();
        committed_ = true;
    }

    [[nodiscard]] std::string encode(std::string_view frontier, const Totals& totals,
                                     const std::vector<Part>& parts, bool complete) const {
        PackedWriter out;
        out.put(magic);
        out.put(version);
        out.put(static_cast<std::uint8_t>(complete ? 1 : 0));
        out.put(static_cast<std::uint32_t>(identity_.size()));
        for (const auto& [name, value] : identity_) {
            out.put_string(name);
            out.put_string(value);
        }
        out.put(totals.started);
        out.put(next_part_ + 1);
        out.put(static_cast<std::uint64_t>(parts.size()));
        for (const Part& part : parts) {
            for (const std::uint64_t value :
                 {part.number, part.rows, part.bytes, part.error_bytes}) {
                out.put(value);
            }
        }
        for_each_counter(totals.progress, [&](std::uint64_t count) { out.put(count); });
        out.put(static_cast<std::uint64_t>(totals.progress.elapsed.count()));
        out.put(std::uint32_t{totals.progress.threads_peak});
        out.put(totals.clamped_times);
        out.put(static_cast<std::uint64_t>(frontier.size()));
        out.append(frontier);
        out.put(checksum(out.bytes()));
        return out.take();
    }

    // ---- Resuming -----------------------------------------------------------------------------

    void load(std::string_view bytes) {
        const std::string damaged =
            "checkpoint: " + directory_.path_of(frontier_name) + " is damaged";
        if (bytes.size() < sizeof(std::uint32_t)) throw std::invalid_argument(damaged);
        PackedReader end(bytes.substr(bytes.size() - sizeof(std::uint32_t)), damaged);
        bytes.remove_suffix(sizeof(std::uint32_t));
        if (end.get<std::uint32_t>() != checksum(bytes)) throw std::invalid_argument(damaged);

        PackedReader in(bytes, damaged);
        if (in.get<std::uint32_t>() != magic || in.get<std::uint32_t>() != version) {
            refuse("is a checkpoint of another version");
        }
        complete_ = in.get<std::uint8_t>() != 0;
        check_identity(in);
        totals_.started = in.get<std::uint64_t>();
        next_part_ = in.get<std::uint64_t>();
        for (auto count = in.get<std::uint64_t>(); count > 0; --count) {
            Part part;
            for (std::uint64_t* value :
                 {&part.number, &part.rows, &part.bytes, &part.error_bytes}) {
                *value = in.get<std::uint64_t>();
            }
            parts_.push_back(part);
        }
        for_each_counter(totals_.progress,
                         [&](std::uint64_t& count) { count = in.get<std::uint64_t>(); });
        totals_.progress.elapsed = nanoseconds(in.get<std::uint64_t>());
        totals_.progress.threads_peak = in.get<std::uint32_t>();
        totals_.clamped_times = in.get<std::uint64_t>();
        frontier_ = in.take(in.get<std::uint64_t>());
    }

    void check_identity(PackedReader& in) const {
        Identity was;
        for (auto count = in.get<std::uint32_t>(); count > 0; --count) {
            std::string name(in.get_string());
            was.emplace_back(std::move(name), in.get_string());
        }
        for (const auto& now : identity_) {
            const auto same = std::find_if(was.begin(), was.end(), [&](const auto& field) {
                return field.first == now.first;
            });
            if (same == was.end()) refuse("was made without " + now.first);
            if (same->second == now.second) continue;
            std::string difference = "was made with ";
            difference.append(now.first).append(" ").append(same->second);
            refuse(difference.append(", not ").append(now.second));
        }
    }

    void check_parts() {
        for (const Part& part : parts_) {
            if (part.bytes > 0) check_size(part_name(part.number), part.bytes);
            if (part.error_bytes > 0) load_errors(part);
        }
        totals_.progress.errors = errors_.size();
    }

    void check_size(const std::string& name, std::uint64_t bytes) const {
        const std::optional<std::uint64_t> size = directory_.size(name);
        if (!size) refuse("is damaged: " + name + " is missing");
        if (*size != bytes) refuse("is damaged: " + name + " has another size than it had");
    }

    void load_errors(const Part& part) {
        const std::string name = numbered(errors_prefix, part.number);
        check_size(name, part.error_bytes);
        const std::string bytes = directory_.read(name).value_or("");
        PackedReader in(bytes, "checkpoint: " + directory_.path_of(name) + " is damaged");
        while (!in.at_end()) {
            const auto operation = static_cast<Operation>(in.get<std::uint8_t>());
            const int error = in.get<std::int32_t>();
            errors_.push_back({std::string(in.get_string()), operation, error});
        }
    }

    report::LockedDirectory directory_;
    const std::string suffix_;
    const Identity identity_;
    const nanoseconds interval_;

    bool committed_ = false;  // something, ever
    bool complete_ = false;
    std::string frontier_;  // as it was at the start
    Totals totals_;
    Totals before_;  // of earlier runs
    std::vector<EntryError> errors_;
    std::vector<EntryError> errors_before_;
    ErrorCounts errors_committed_;
    std::vector<Part> parts_;
    std::uint64_t next_part_ = 1;
    UniqueFd part_;

    std::atomic<Clock::rep> next_due_;
    std::atomic<std::size_t> bytes_on_their_way_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> stop_marked_{false};
};

Checkpoint::Checkpoint(const std::string& directory, const std::string& suffix, Identity identity,
                       bool resume, nanoseconds interval)
    : state_(std::make_unique<State>(directory, suffix, std::move(identity), resume, interval)) {}
Checkpoint::~Checkpoint() = default;

bool Checkpoint::complete() const noexcept { return state_->complete(); }
const std::string& Checkpoint::frontier() const noexcept { return state_->frontier(); }
const Checkpoint::Totals& Checkpoint::totals() const noexcept { return state_->totals(); }
const Checkpoint::Totals& Checkpoint::totals_before() const noexcept {
    return state_->totals_before();
}
const std::vector<EntryError>& Checkpoint::errors_before() const noexcept {
    return state_->errors_before();
}
const std::vector<EntryError>& Checkpoint::errors() const noexcept { return state_->errors(); }
const ErrorCounts& Checkpoint::errors_committed() const noexcept {
    return state_->errors_committed();
}
const std::vector<Checkpoint::Part>& Checkpoint::parts() const noexcept { return state_->parts(); }
std::string Checkpoint::path_of(const Part& part) const { return state_->path_of(part); }

const std::string& Checkpoint::directory() const noexcept { return state_->directory(); }

int Checkpoint::begin_part() { return state_->begin_part(); }
void Checkpoint::commit(const Mark& mark, std::uint64_t rows) { state_->commit(mark, rows, false); }
void Checkpoint::complete_with(const Mark& mark, std::uint64_t rows) {
    state_->commit(mark, rows, true);
}
void Checkpoint::remove() { state_->remove(); }
void Checkpoint::close() noexcept { state_->close(); }

bool Checkpoint::due() const noexcept { return state_->due(); }
void Checkpoint::marked(const Mark& mark) noexcept { state_->marked(mark); }
void Checkpoint::stop() noexcept { state_->stop(); }
bool Checkpoint::stopping() const noexcept { return state_->stopping(); }

}  // namespace filetree
