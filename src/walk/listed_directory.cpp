#include "listed_directory.hpp"

#include <cerrno>

#include "filetree/ordered_walk.hpp"
#include "selection.hpp"

namespace filetree::walk {
namespace {

using std::chrono::nanoseconds;

nanoseconds since_epoch(const Timestamp& time) noexcept {
    return std::chrono::seconds(time.seconds) + nanoseconds(time.nanoseconds);
}

nanoseconds now() noexcept { return std::chrono::system_clock::now().time_since_epoch(); }

bool is_link_or_unknown(EntryType type) noexcept {
    return type == EntryType::symlink || type == EntryType::unknown;
}

// By path, as os.walk asks: a path that is too long is no directory.
EntryType type_of(FileSystem& fs, const std::string& path, bool follow, CallContext& context) {
    const StatResult result = fs.attributes(path, follow, StatMask::type, context);
    if (result.error != 0) return EntryType::unknown;
    return result.attributes.type();
}

// A file system that does not keep these times at all has 0 in both. An mtime may lie in the
// future, where somebody has set it; the next change will not bear it.
bool is_settled(const Attributes& attributes, nanoseconds at, nanoseconds settling_time) noexcept {
    const nanoseconds mtime = since_epoch(attributes.mtime);
    const nanoseconds ctime = since_epoch(attributes.ctime);
    const bool modified = mtime >= at - settling_time && mtime <= at + settling_time;
    const bool changed = ctime >= at - settling_time;
    return (mtime.count() != 0 || ctime.count() != 0) && !modified && !changed;
}

// Gives every name a type, and leaves out snapshot directories.
void complete_types(FileSystem& fs, const std::string& path, bool ignore_snapshots, Listing& names,
                    CallContext& context) {
    std::string child;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names.type(i) == EntryType::unknown) {
            join_path(child, path, names.name(i));
            names.set_type(i, type_of(fs, child, false, context));
        }
        if (ignore_snapshots && names.type(i) == EntryType::directory &&
            names.name(i) == snapshot_name) {
            names.erase(i--);
        }
    }
}

}  // namespace

ListedDirectory list_directory(FileSystem& fs, const std::string& path, bool follow,
                               const ListingRules& rules, CallContext& context, const GoOn& go_on) {
    ListedDirectory out;
    const nanoseconds begun = now();
    const auto opened = fs.open(path, context, follow);
    if (!opened.ok()) {
        out.error = opened.error;
        return out;
    }
    Directory& directory = *opened.value;
    const StatResult before = directory.attributes(context);
    if (before.error == 0) {
        out.attributes = before.attributes;
        out.dates_changes = directory.dates_changes(before.attributes, context);
        out.settled =
            out.dates_changes && is_settled(before.attributes, begun, rules.settling_time);
    }
    for (bool more = true; more;) {
        const auto read = directory.read(out.names, context);
        if (!read.ok() || (go_on && read.value && !go_on(out.names.footprint()))) {
            out.error = read.ok() ? ECANCELED : read.error;
            out.names.clear();
            return out;
        }
        more = read.value;
    }
    complete_types(fs, path, rules.ignore_snapshots, out.names, context);
    return out;
}

bool is_current(const ListedDirectory& listed, const StatResult& now) noexcept {
    const Attributes& then = listed.attributes;
    return listed.error == 0 && listed.settled && now.error == 0 && now.attributes.is_directory() &&
           now.attributes.has_inode_of(then) && now.attributes.mtime == then.mtime &&
           now.attributes.ctime == then.ctime;
}

std::vector<std::uint32_t> subdirectories(FileSystem& fs, const std::string& path,
                                          const Listing& names, bool followlinks,
                                          CallContext& context) {
    std::vector<std::uint32_t> found;
    std::string child;
    for (std::uint32_t i = 0; i < names.size(); ++i) {
        EntryType type = names.type(i);
        if (followlinks && is_link_or_unknown(type)) {
            join_path(child, path, names.name(i));
            type = type_of(fs, child, true, context);
        }
        if (type == EntryType::directory) found.push_back(i);
    }
    return found;
}

std::vector<std::uint32_t> resolve_links(FileSystem& fs, const std::string& path, bool followlinks,
                                         bool ignore_snapshots, Listing& names,
                                         CallContext& context) {
    std::vector<std::uint32_t> entered;
    std::string child;
    for (std::uint32_t i = 0; i < names.size(); ++i) {
        const bool link = is_link_or_unknown(names.type(i));
        if (link) {
            join_path(child, path, names.name(i));
            if (type_of(fs, child, true, context) == EntryType::directory) {
                if (ignore_snapshots && names.name(i) == snapshot_name) {
                    names.erase(i--);
                    continue;
                }
                names.set_type(i, EntryType::directory);
            }
        }
        if (names.type(i) == EntryType::directory && (followlinks || !link)) entered.push_back(i);
    }
    return entered;
}

}  // namespace filetree::walk
