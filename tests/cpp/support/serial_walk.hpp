#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filetree/ordered_walk.hpp"
#include "filetree/synthetic_fs.hpp"

namespace filetree::testing {

// One step of os.walk.
struct Visit {
    std::string path;
    int error = 0;
    std::vector<std::string> directories;
    std::vector<std::string> others;
    std::size_t depth = 0;
    std::size_t child_index = 0;  // top-down, below the top

    bool operator==(const Visit&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Visit& visit) {
        out << visit.path << " at " << visit.depth << "." << visit.child_index;
        if (visit.error != 0) return out << " errno " << visit.error;
        for (const std::string& name : visit.directories) out << " " << name << "/";
        for (const std::string& name : visit.others) out << " " << name;
        return out;
    }
};

inline std::string joined(const std::string& parent, const std::string& name) {
    if (name.starts_with('/')) return name;
    return parent.empty() || parent.ends_with('/') ? parent + name : parent + '/' + name;
}

// Where the oracle looks.
struct SerialSource {
    struct Entry {
        std::string name;
        bool directory = false;  // symlinks followed
        bool link = false;
    };
    std::function<int(const std::string& path, std::vector<Entry>& out)> list;  // an errno
    std::function<bool(const std::string& path)> is_link;
};

inline bool is_real_link(const std::string& path) {
    struct stat attributes {};
    return ::lstat(path.c_str(), &attributes) == 0 && S_ISLNK(attributes.st_mode);
}

inline bool is_real_directory(const std::string& path) {
    struct stat attributes {};
    return ::stat(path.c_str(), &attributes) == 0 && S_ISDIR(attributes.st_mode);
}

// The machine's file system, through nothing of the product's.
inline SerialSource real_source() {
    const auto list = [](const std::string& path, std::vector<SerialSource::Entry>& out) {
        DIR* directory = ::opendir(path.c_str());
        if (directory == nullptr) return errno;
        while (const dirent* entry = ::readdir(directory)) {
            const std::string name = entry->d_name;
            if (name == "." || name == "..") continue;
            const std::string child = joined(path, name);
            out.push_back({name, is_real_directory(child), is_real_link(child)});
        }
        ::closedir(directory);
        return 0;
    };
    return {list, is_real_link};
}

// What a computed tree with the top `root` must hold.
inline SerialSource computed_source(const SyntheticTree& tree, const std::string& root) {
    const auto list = [tree, root](const std::string& path, std::vector<SerialSource::Entry>& out) {
        std::uint32_t level = 0;
        std::uint64_t number = 0;  // of the directory, counted level by level
        for (std::string_view rest = std::string_view(path).substr(root.size()); !rest.empty();) {
            std::uint64_t index = 0;  // "/d17"
            const char* end = rest.data() + rest.size();
            const char* next = std::from_chars(rest.data() + 2, end, index).ptr;
            rest.remove_prefix(static_cast<std::size_t>(next - rest.data()));
            number = number * tree.directories + index + 1;
            ++level;
        }
        for (std::uint32_t i = 0; level < tree.depth && i < tree.directories; ++i) {
            out.push_back({"d" + std::to_string(i), true, false});
        }
        const std::uint32_t files = tree.files + (number < tree.surplus ? 1 : 0);
        for (std::uint32_t i = 0; i < files; ++i) {
            out.push_back({"f" + std::to_string(i) + ".dat", false, false});
        }
        return 0;
    };
    return {list, [](const std::string&) { return false; }};
}

// os.walk as CPython has it, one step at a time. Of the options it heeds topdown, followlinks,
// ignore_snapshots and early_link_checks.
class SerialWalk {
   public:
    SerialWalk(SerialSource source, std::string top, const OrderedWalkOptions& options)
        : source_(std::move(source)), top_(std::move(top)), options_(options) {}

    // Nothing at the end.
    std::optional<Visit> next() {
        if (!begun_) {
            begun_ = true;
            if (auto visit = list(top_, 0)) return visit;
        }
        while (!frames_.empty()) {
            Frame& frame = frames_.back();
            if (!frame.resumed) resume(frame);
            if (frame.next == frame.children.size()) {
                Visit visit = std::move(frame.visit);
                frames_.pop_back();
                if (!options_.topdown) return visit;
                continue;
            }
            const auto [index, path] = frame.children[frame.next++];
            if (is_skipped(path, options_.early_link_checks)) continue;
            if (auto visit = list(path, index)) return visit;
        }
        return std::nullopt;
    }

    // Of the directory visited last; top-down, what is done to it decides what is entered.
    std::vector<std::string>& dirnames() { return frames_.back().visit.directories; }

   private:
    struct Frame {
        Visit visit;
        std::vector<std::pair<std::size_t, std::string>> children;
        std::size_t next = 0;
        bool resumed = false;
    };

    [[nodiscard]] bool is_skipped(const std::string& path, bool checked) const {
        return options_.topdown && !options_.followlinks && !checked && source_.is_link(path);
    }

    void resume(Frame& frame) {
        frame.resumed = true;
        if (!options_.topdown) return;
        const auto& names = frame.visit.directories;
        for (std::size_t i = 0; i < names.size(); ++i) {
            const std::string path = joined(frame.visit.path, names[i]);
            if (options_.early_link_checks && is_skipped(path, false)) continue;
            frame.children.emplace_back(i, path);
        }
    }

    std::optional<Visit> list(const std::string& path, std::size_t child_index) {
        Visit visit;
        visit.path = path;
        visit.depth = frames_.size();
        if (options_.topdown) visit.child_index = child_index;
        std::vector<SerialSource::Entry> entries;
        visit.error = source_.list(path, entries);
        if (visit.error != 0) return visit;
        Frame frame;
        for (const auto& entry : entries) {
            if (entry.directory && options_.ignore_snapshots && entry.name == ".snapshot") continue;
            (entry.directory ? visit.directories : visit.others).push_back(entry.name);
            if (!options_.topdown && entry.directory && (options_.followlinks || !entry.link)) {
                frame.children.emplace_back(0, joined(path, entry.name));
            }
        }
        frame.visit = visit;
        frames_.push_back(std::move(frame));
        if (options_.topdown) return visit;
        return std::nullopt;  // its turn comes after its children's
    }

    const SerialSource source_;
    const std::string top_;
    const OrderedWalkOptions options_;
    bool begun_ = false;
    std::vector<Frame> frames_;
};

}  // namespace filetree::testing
